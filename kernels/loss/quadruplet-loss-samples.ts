import type { Values } from '../kernel.ts';
import type { QuadrupletLossProblem } from './quadruplet-loss-problem.ts';
import { candidatesOf, choose, distancesOf, hingesOf, NONE, thirdsOf } from './quadruplet-loss-mining.ts';

/** How far distances must lie apart in samples where one decides between two items: beyond any error of float32. */
const CLEARANCE = 2e-5;

/**
 * Normalized vectors around class centers, some classes tight and some loose, so that hinges of both kinds occur. Drawn
 * anew until no choice and no hinge hangs on a difference that float32 might decide otherwise.
 */
export function sampleInputs(problem: QuadrupletLossProblem, uniform: () => number): Values {
  const { count, width } = problem;
  const classes = Math.max(2, Math.round(count / 6));
  for (let attempt = 0; attempt < 200; attempt++) {
    const centres = Float64Array.from({ length: classes * width }, uniform);
    const labels = Float64Array.from({ length: count }, () => Math.floor(((uniform() + 1) / 2) * classes));
    const embeddings = new Float64Array(count * width);
    for (let i = 0; i < count; i++) {
      const label = labels[i];
      const vector = Array.from({ length: width }, (_, k) => centres[label * width + k] * (label % 4) + uniform());
      const norm = Math.hypot(...vector);
      vector.forEach((component, k) => (embeddings[i * width + k] = Math.fround(component / norm)));
    }
    const inputs: Values = {
      embeddings,
      labels,
      domains: Float64Array.from({ length: count }, () => Number(uniform() < 0)),
      ...(problem.mining === 'random' ? { seed: Float64Array.of(Math.floor((uniform() + 1) * 2 ** 31)) } : {}),
    };
    if (clearance(problem, inputs) > CLEARANCE) return inputs;
  }
  throw new Error(`quadruplet_loss: no clear sample of ${JSON.stringify(problem)} in 200 attempts`);
}

/** The least difference of distances that decides anything: which item is chosen, and whether a hinge is active. */
function clearance(problem: QuadrupletLossProblem, inputs: Values): number {
  const { count, mining, form } = problem;
  const distances = distancesOf(problem, inputs.embeddings);
  const term = form === 'two-pairs' ? distances.squared : distances.distance;
  const between = (a: number, b: number): number => distances.distance[a * count + b];
  let least = Infinity;
  for (let anchor = 0; anchor < count; anchor++) {
    const { positives, negatives } = candidatesOf(anchor, inputs);
    const quadruplet = choose(anchor, problem, inputs, distances);
    const [own, other] = quadruplet.negatives;
    const differ = (from: number, items: readonly number[], chosen: number, reach: number): void => {
      for (const item of items) if (item !== chosen) least = Math.min(least, Math.abs(between(from, item) - reach));
    };
    if (mining !== 'random') {
      const { positive } = quadruplet;
      if (positive !== NONE) differ(anchor, positives, positive, between(anchor, positive));
      const searches: [from: number, items: readonly number[], chosen: number][] = [
        form === 'two-pairs' ? [other, thirdsOf(anchor, other, inputs), own] : [anchor, negatives[0], own],
        [anchor, negatives[1], other],
      ];
      for (const [from, items, chosen] of searches) {
        if (from === NONE || chosen === NONE) continue;
        differ(from, items, chosen, between(from, chosen));
        if (mining === 'semi-hard' && positive !== NONE) differ(from, items, NONE, between(anchor, positive));
      }
    }
    for (const { margin, pairs } of hingesOf(anchor, problem, quadruplet)) {
      least = Math.min(
        least,
        Math.abs(pairs.reduce((sum, [a, b, weight]) => sum + weight * term[a * count + b], margin)),
      );
    }
  }
  return least;
}
