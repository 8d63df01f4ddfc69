import { EPSILON, sumError, type Values } from '../kernel.ts';
import { settingsOf, type QuadrupletLossProblem } from './quadruplet-loss-problem.ts';

/** Squared distances are raised to it, and do not move an embedding where they were. */
export const LEAST_SQUARED = 1e-12;
/** In place of an item where there is none. */
export const NONE = -1;

/** The items chosen for an anchor, NONE where there are none. */
interface Quadruplet {
  readonly positive: number;
  readonly negatives: readonly [ownDomain: number, otherDomain: number];
}

/** A hinge: the weighted sum of distances (squared ones of two pairs) between items, and a margin. */
interface Hinge {
  readonly margin: number;
  readonly pairs: readonly (readonly [a: number, b: number, weight: number])[];
  /** The negatives that it is about: 0 of the own domain, 1 of the other. */
  readonly domains: readonly number[];
}

export function hingesOf(
  anchor: number,
  problem: QuadrupletLossProblem,
  { positive, negatives: [own, other] }: Quadruplet,
): Hinge[] {
  const { form, margin, secondMargin, share } = settingsOf(problem);
  // A hinge is the distance to the positive minus the weighted distances of other pairs, plus its margin.
  const hinge = (
    ownMargin: number,
    ...others: readonly (readonly [a: number, b: number, weight: number])[]
  ): Hinge => ({
    margin: ownMargin,
    pairs: [[anchor, positive, 1], ...others.map(([a, b, weight]) => [a, b, -weight] as const)],
    domains: others.map(([, negative]) => Number(negative === other)),
  });
  const hinges: Record<typeof form, readonly Hinge[]> = {
    'domain-balanced': [hinge(margin, [anchor, own, 1]), hinge(margin, [anchor, other, 1])],
    'one-hinge': [hinge(margin, [anchor, own, 1 - share], [anchor, other, share])],
    'two-pairs': [hinge(secondMargin, [other, own, 1]), hinge(margin, [anchor, other, 1])],
  };
  return hinges[form].filter(({ pairs }) => pairs.every(([a, b]) => a !== NONE && b !== NONE));
}

/** Distances of all pairs of items, [count, count]. */
export interface Distances {
  readonly squared: Float64Array;
  readonly squaredError: Float64Array;
  readonly distance: Float64Array;
  /** Bounds on the float32 error of `distance`. */
  readonly error: Float64Array;
}

export function distancesOf({ count, width }: QuadrupletLossProblem, embeddings: Float64Array): Distances {
  const squared = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += (embeddings[i * width + k] - embeddings[j * width + k]) ** 2;
      squared[i * count + j] = squared[j * count + i] = sum;
    }
  }
  const distance = squared.map((value) => Math.sqrt(Math.max(value, LEAST_SQUARED)));
  // A difference is rounded once and squared, the square is rounded: 3 EPSILON a term besides the sum. WGSL's sqrt is
  // 1 / inverseSqrt: 2 + 2.5 units in the last place, 2 EPSILON each.
  const squaredError = squared.map((value) => sumError(width, value) + 3 * EPSILON * value);
  const error = distance.map((d, i) => squaredError[i] / (2 * d) + 9 * EPSILON * d);
  return { squared, squaredError, distance, error };
}

/** What each item is to an anchor: candidates for the positive and the two negatives, in index order. */
export function candidatesOf(
  anchor: number,
  { labels, domains }: Values,
): { positives: number[]; negatives: [number[], number[]] } {
  const positives: number[] = [];
  const negatives: [number[], number[]] = [[], []];
  labels.forEach((label, item) => {
    const own = domains[item] === domains[anchor];
    if (label !== labels[anchor]) negatives[own ? 0 : 1].push(item);
    else if (!own) positives.push(item);
  });
  return { positives, negatives };
}

/**
 * For two pairs: items of the anchor's domain of a class that is neither the anchor's nor that of the other domain's
 * negative.
 */
export function thirdsOf(anchor: number, other: number, { labels, domains }: Values): number[] {
  if (other === NONE) return [];
  return [...labels.keys()].filter(
    (item) => domains[item] === domains[anchor] && labels[item] !== labels[anchor] && labels[item] !== labels[other],
  );
}

export function choose(
  anchor: number,
  problem: QuadrupletLossProblem,
  inputs: Values,
  { squared }: Distances,
): Quadruplet {
  const { count, mining = 'hardest', form } = problem;
  const { positives, negatives } = candidatesOf(anchor, inputs);
  if (mining === 'random') {
    const pick = (items: readonly number[], word: number): number =>
      items.length === 0 ? NONE : items[word % items.length];
    const words = pcg3d(inputs.seed[0], anchor, 0);
    const other = pick(negatives[1], words[2]);
    const own =
      form === 'two-pairs'
        ? pick(thirdsOf(anchor, other, inputs), pcg3d(inputs.seed[0], anchor, 1)[0])
        : pick(negatives[0], words[1]);
    return { positive: pick(positives, words[0]), negatives: [own, other] };
  }
  const between = (a: number, b: number): number => squared[a * count + b];
  // Strict comparisons keep the lowest index.
  const nearest = (to: number, items: readonly number[]): number =>
    items.reduce((best, item) => (best === NONE || between(to, item) < between(to, best) ? item : best), NONE);
  const positive = positives.reduce(
    (best, item) => (best === NONE || between(anchor, item) > between(anchor, best) ? item : best),
    NONE,
  );
  const negative = (to: number, items: readonly number[]): number => {
    const farther =
      mining === 'semi-hard' && positive !== NONE
        ? items.filter((item) => between(to, item) > between(anchor, positive))
        : [];
    return nearest(to, farther.length > 0 ? farther : items);
  };
  const other = negative(anchor, negatives[1]);
  return {
    positive,
    negatives: [
      form === 'two-pairs' ? negative(other, thirdsOf(anchor, other, inputs)) : negative(anchor, negatives[0]),
      other,
    ],
  };
}

/** Jarzynski and Olano, "Hash functions for GPU rendering", JCGT 9 (3), 2020: three words from three words. */
function pcg3d(x: number, y: number, z: number): [number, number, number] {
  const step = (word: number): number => Math.imul(word, 1664525) + 1013904223;
  let v: [number, number, number] = [step(x), step(y), step(z)];
  const mix = (): void => {
    v[0] += Math.imul(v[1], v[2]);
    v[1] += Math.imul(v[2], v[0]);
    v[2] += Math.imul(v[0], v[1]);
    v = [v[0] >>> 0, v[1] >>> 0, v[2] >>> 0];
  };
  mix();
  v = [v[0] ^ (v[0] >>> 16), v[1] ^ (v[1] >>> 16), v[2] ^ (v[2] >>> 16)];
  mix();
  return v;
}
