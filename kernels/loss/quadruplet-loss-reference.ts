import { EPSILON, sumError, type Expected, type Values } from '../kernel.ts';
import { choose, distancesOf, hingesOf, LEAST_SQUARED, type Distances } from './quadruplet-loss-mining.ts';
import type { QuadrupletLossProblem } from './quadruplet-loss-problem.ts';

/** Loss, gradient and statistics in float64, with bounds on their float32 errors. */
export function reference(
  problem: QuadrupletLossProblem,
  inputs: Values,
): Record<'loss' | 'dembeddings' | 'statistics', Expected> {
  const { count, width } = problem;
  const { embeddings } = inputs;
  const distances = distancesOf(problem, embeddings);
  const { squared, squaredError, distance, error } = distances;
  const isSquared = problem.form === 'two-pairs';
  const [term, termError] = isSquared ? [squared, squaredError] : [distance, error];

  const valid = [0, 0];
  const active = [0, 0];
  const hinges = { valid: 0, active: 0, sum: 0, error: 0 };
  // Sums of distances, and of their errors: to positives, to negatives of the own and of the other domain.
  const sums = [0, 0, 0];
  const errors = [0, 0, 0];
  const pulls = new Float64Array(count * count);
  const pullMagnitudes = new Float64Array(count * count);
  for (let anchor = 0; anchor < count; anchor++) {
    for (const { margin, pairs, domains } of hingesOf(anchor, problem, choose(anchor, problem, inputs, distances))) {
      const [toPositive, ...toNegatives] = pairs.map(([a, b]) => a * count + b);
      hinges.valid++;
      sums[0] += distance[toPositive];
      errors[0] += error[toPositive];
      domains.forEach((domain, index) => {
        valid[domain]++;
        sums[1 + domain] += distance[toNegatives[index]];
        errors[1 + domain] += error[toNegatives[index]];
      });
      const value = pairs.reduce((sum, [a, b, weight]) => sum + weight * term[a * count + b], margin);
      if (value <= 0) continue;
      hinges.active++;
      domains.forEach((domain) => active[domain]++);
      hinges.sum += value;
      // Weights, products and sums round: at most four times for each pair, and the margin with the result.
      const magnitude = pairs.reduce((sum, [a, b, weight]) => sum + Math.abs(weight) * term[a * count + b], 0);
      hinges.error +=
        pairs.reduce((sum, [a, b, weight]) => sum + Math.abs(weight) * termError[a * count + b], 0) +
        EPSILON * (4 * magnitude + margin + value);
      for (const [a, b, weight] of pairs) {
        for (const pair of [a * count + b, b * count + a]) {
          pulls[pair] += weight;
          pullMagnitudes[pair] += Math.abs(weight);
        }
      }
    }
  }

  const dembeddings = { value: new Float64Array(count * width), error: new Float64Array(count * width) };
  for (let i = 0; i < count; i++) {
    const partners: number[] = [];
    for (let j = 0; j < count; j++)
      if (pullMagnitudes[i * count + j] !== 0 && squared[i * count + j] > LEAST_SQUARED) partners.push(j);
    for (let k = 0; k < width; k++) {
      let sum = 0;
      let magnitude = 0;
      let inherited = 0;
      for (const j of partners) {
        const pair = i * count + j;
        const step =
          ((isSquared ? 2 : 1 / distance[pair]) / hinges.valid) *
          (embeddings[i * width + k] - embeddings[j * width + k]);
        const value = pulls[pair] * step;
        sum += value;
        magnitude += Math.abs(value);
        // Relative: the distance; the division by it and the reciprocal of the count, 2.5 units each; two products and
        // the difference. Of the pull: its weights, rounded where they are no whole numbers, and their sum.
        const relative = (isSquared ? 0 : error[pair] / distance[pair]) + (5 + 5 + 3) * EPSILON;
        const pullError =
          problem.form === 'one-hinge' ? EPSILON * pullMagnitudes[pair] + sumError(count, pullMagnitudes[pair]) : 0;
        inherited += Math.abs(value) * relative + pullError * Math.abs(step);
      }
      dembeddings.value[i * width + k] = sum;
      dembeddings.error[i * width + k] = 1.001 * inherited + sumError(partners.length, magnitude);
    }
  }

  const mean = (sum: number, inherited: number, length: number): [value: number, error: number] =>
    length === 0
      ? [0, 0]
      : [sum / length, (inherited + sumError(2 * count, sum)) / length + 5 * EPSILON * (sum / length)];
  const loss = mean(hinges.sum, hinges.error, hinges.valid);
  // Counts are exact in float32; only the division of two of them rounds.
  const fraction = (part: number, whole: number): [number, number] =>
    whole === 0 ? [0, 0] : [part / whole, (5 * EPSILON * part) / whole];
  const statistics = [
    fraction(hinges.active, hinges.valid),
    mean(sums[0], errors[0], hinges.valid),
    mean(sums[1], errors[1], valid[0]),
    mean(sums[2], errors[2], valid[1]),
    fraction(active[0], valid[0]),
    fraction(active[1], valid[1]),
    [hinges.valid, 0],
    [hinges.active, 0],
    ...gapAndSpread(problem, inputs, distances),
  ];
  return {
    loss: { value: Float64Array.of(loss[0]), error: Float64Array.of(loss[1]) },
    dembeddings,
    statistics: {
      value: Float64Array.from(statistics, ([value]) => value),
      error: Float64Array.from(statistics, ([, bound]) => bound),
    },
  };
}

/**
 * The last two statistics, from the embeddings themselves; their errors from the sums of squared distances that the
 * device takes.
 */
function gapAndSpread(
  { count, width }: QuadrupletLossProblem,
  { embeddings, domains }: Values,
  { squared, squaredError }: Distances,
): [value: number, error: number][] {
  const items = [...domains.keys()];
  const meanOf = (members: readonly number[]): number[] =>
    Array.from(
      { length: width },
      (_, k) => members.reduce((sum, item) => sum + embeddings[item * width + k], 0) / members.length,
    );
  const [sketches, photos] = [0, 1].map((domain) => items.filter((item) => domains[item] === domain));
  const [sketchMean, photoMean, wholeMean] = [sketches, photos, items].map(meanOf);
  const gap =
    sketches.length * photos.length === 0 ? 0 : Math.hypot(...sketchMean.map((value, k) => value - photoMean[k]));
  const spread = Math.sqrt(
    items.reduce(
      (sum, item) =>
        sum + wholeMean.reduce((squares, value, k) => squares + (embeddings[item * width + k] - value) ** 2, 0),
      0,
    ) / count,
  );
  const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
  // All sums are of what is not negative, so that the error of each is at most that of all; sums of sums, products and
  // divisions round 16 times at most.
  const sumOfAll = total(squared);
  const bound = total(squaredError) + 2 * sumError(count, sumOfAll) + 16 * EPSILON * sumOfAll;
  const fewest = Math.max(1, Math.min(sketches.length, photos.length));
  const root = (value: number, error: number): number =>
    Math.max(Math.sqrt(value ** 2 + error) - value, value - Math.sqrt(Math.max(0, value ** 2 - error))) +
    9 * EPSILON * value;
  return [
    [
      gap,
      gap === 0 && sketches.length * photos.length === 0
        ? root(0, bound / fewest ** 2)
        : root(gap, bound / fewest ** 2),
    ],
    [spread, root(spread, bound / count ** 2) + 5 * EPSILON * spread],
  ];
}
