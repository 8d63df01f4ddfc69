import { EPSILON, sumError, type Expected, type Values } from '../kernel.ts';
import { settingsOf, type QuadrupletLossProblem } from './quadruplet-loss-problem.ts';

/** Squared distances are raised to it, and do not move an embedding where they were. */
const LEAST_SQUARED = 1e-12;
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
  const hinges: Record<typeof form, Hinge[]> = {
    'domain-balanced': [
      {
        margin,
        pairs: [
          [anchor, positive, 1],
          [anchor, own, -1],
        ],
        domains: [0],
      },
      {
        margin,
        pairs: [
          [anchor, positive, 1],
          [anchor, other, -1],
        ],
        domains: [1],
      },
    ],
    'one-hinge': [
      {
        margin,
        pairs: [
          [anchor, positive, 1],
          [anchor, own, share - 1],
          [anchor, other, -share],
        ],
        domains: [0, 1],
      },
    ],
    'two-pairs': [
      {
        margin: secondMargin,
        pairs: [
          [anchor, positive, 1],
          [other, own, -1],
        ],
        domains: [0],
      },
      {
        margin,
        pairs: [
          [anchor, positive, 1],
          [anchor, other, -1],
        ],
        domains: [1],
      },
    ],
  };
  return hinges[form].filter(({ pairs }) => pairs.every(([a, b]) => a !== NONE && b !== NONE));
}

interface Distances {
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
