/** Sketches of seen classes that are held out of the training, to choose the best checkpoint by. */
import { DatasetError, type Sample } from '../src/data/dataset.ts';
import { RandomStream, STREAM } from '../src/random/philox.ts';

/**
 * For published sets without a list of their own: the same sketches whatever a training's seed is, so that seeds differ
 * in nothing but the training.
 */
export const HOLD_OUT_SEED = 0;
export const HOLD_OUT_SHARE = 0.05;

/**
 * Draws among all sketches at once, and leaves each class at least one to train on.
 * @param seen samples of the seen classes; photos are never drawn
 * @param fraction of the sketches, 0 up to 1
 * @param seed u32
 */
export function holdOutSketches<S extends Sample>(seen: readonly S[], fraction: number, seed: number): Set<S> {
  requireFraction('the validation fraction', fraction);
  const sketches = seen.filter(({ domain }) => domain === 'sketch');
  const left = new Map<string, number>();
  for (const { className } of sketches) left.set(className, (left.get(className) ?? 0) + 1);
  const wanted = Math.round(sketches.length * fraction);
  const chosen = new Set<S>();
  for (const sample of new RandomStream(seed, STREAM.split, [1, 0]).shuffle([...sketches])) {
    const rest = left.get(sample.className) as number;
    if (chosen.size === wanted) break;
    if (rest === 1) continue;
    left.set(sample.className, rest - 1);
    chosen.add(sample);
  }
  return chosen;
}

/** @throws DatasetError where a share is not at least 0 and below 1 */
export function requireFraction(what: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new DatasetError(`${what} must be at least 0 and below 1, and it is ${value}`);
}
