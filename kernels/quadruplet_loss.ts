import { ceilDivide, f32, foldGrid, sliceable, widestElement, type Dispatch } from '../src/gpu/dispatch.ts';
import { EPSILON, sumError, type Expected, type Kernel, type KernelCall, type Operand, type Values } from './kernel.ts';

export interface QuadrupletLossProblem {
  /** Items in the batch, sketches and photos together; distances and lists of partners take count^2 words each. */
  readonly count: number;
  /** Components of an embedding. */
  readonly width: number;
  /** 0.2 if left out. */
  readonly margin?: number;
  /** How positives and negatives are chosen, see shaders/quadruplet_loss_mining.wgsl; 'hardest' if left out. */
  readonly mining?: 'hardest' | 'semi-hard' | 'random';
}

/** What `statistics` holds, in order. Fractions and means are over the valid hinges, and 0 where there are none. */
export const QUADRUPLET_STATISTICS = [
  'active fraction',
  'distance to the positive',
  'distance to the negative of the own domain',
  'distance to the negative of the other domain',
  'active fraction of the own domain',
  'active fraction of the other domain',
  'valid hinges',
  'active hinges',
] as const;

const DEFAULT_MARGIN = 0.2;
/** Squared distances are raised to it, and do not move an embedding where they were. */
const LEAST_SQUARED = 1e-12;
const NONE = -1;

/**
 * The domain-balanced quadruplet loss of Tursun et al. (Pattern Recognition 126, 2022), mined in the batch, with its
 * gradient: from embeddings [count, width] (normalised already), labels [count] and domains [count] (0 sketch, 1 photo) to
 * loss [1], dembeddings [count, width] and statistics [8]. Random mining reads one more operand, seed [1], which the host
 * changes at every step.
 *
 * Every anchor gives up to two hinges [d(a, p) - d(a, n) + margin]+, one for a negative of either domain; the loss is
 * their mean. An anchor without a positive gives none, one without a negative of a domain lacks that hinge.
 */
export const quadrupletLoss: Kernel<QuadrupletLossProblem> = {
  name: 'quadruplet_loss',
  calls: ({ count, width, margin = DEFAULT_MARGIN, mining = 'hardest' }, traits) => {
    const random = mining === 'random';
    const operands: Record<string, Operand> = {
      embeddings: { role: 'input', type: 'f32', length: count * width },
      labels: { role: 'input', type: 'u32', length: count },
      domains: { role: 'input', type: 'u32', length: count },
      ...(random ? { seed: { role: 'input', type: 'u32', length: 1 } } : {}),
      loss: { role: 'output', type: 'f32', length: 1 },
      dembeddings: { role: 'output', type: 'f32', length: count * width },
      statistics: { role: 'output', type: 'f32', length: QUADRUPLET_STATISTICS.length },
      squaredDistances: { role: 'scratch', type: 'f32', length: count * count },
      chosen: { role: 'scratch', type: 'u32', length: 4 * count },
      records: { role: 'scratch', type: 'f32', length: 8 * count },
      scale: { role: 'scratch', type: 'f32', length: 1 },
      partners: { role: 'scratch', type: 'u32', length: count * count },
      partnerWeights: { role: 'scratch', type: 'f32', length: count * count },
      partnerCount: { role: 'scratch', type: 'u32', length: count },
    };
    const { Element, elements } = widestElement(width);
    const rows = traits.kind === 'cpu' ? 1 : 8;
    const workgroupSize = traits.kind === 'cpu' ? 8 : 32;
    // Slices are rows of the matrix of distances. Whatever is read of all items (embeddings, chosen, labels) they bind whole.
    const distances = (entryPoint: string, components: number, side: number): Dispatch => {
      const rowsEach = rows * side;
      return sliceable(ceilDivide(count, rowsEach), { squaredDistances: rowsEach * count }, (groups, first) => ({
        shader: 'quadruplet_loss_distances.wgsl',
        entryPoint,
        constants: { WORKGROUP_ROWS: rows },
        parameters: [count, width / components, Math.min(groups * rowsEach, count - first * rowsEach), first * rowsEach],
        operands: ['embeddings', 'squaredDistances'],
        workgroups: [ceilDivide(count, 8 * side), groups, 1],
      }));
    };
    const afterDistances: Dispatch[] = [
      sliceable(count, { squaredDistances: count }, (anchors, firstAnchor) => ({
        shader: 'quadruplet_loss_mining.wgsl',
        entryPoint: { hardest: 'mineHardest', 'semi-hard': 'mineSemiHard', random: 'mineRandom' }[mining],
        constants: { WORKGROUP_SIZE: workgroupSize, BY_ROWS: anchors < count },
        parameters: [count, f32(margin), anchors, firstAnchor],
        operands: ['squaredDistances', 'labels', 'domains', 'chosen', 'records', ...(random ? ['seed'] : [])],
        workgroups: foldGrid(ceilDivide(anchors, workgroupSize)),
      })),
      {
        shader: 'quadruplet_loss_mining.wgsl',
        entryPoint: 'summarise',
        constants: { WORKGROUP_SIZE: workgroupSize, BY_ROWS: false },
        parameters: [count, f32(margin), count, 0],
        operands: ['records', 'loss', 'statistics', 'scale'],
        workgroups: [1, 1, 1],
      },
      sliceable(count, { partners: count, partnerWeights: count, partnerCount: 1, squaredDistances: count }, (items, firstItem) => ({
        shader: 'quadruplet_loss_gradient.wgsl',
        entryPoint: 'gatherPartners',
        constants: { Element, WORKGROUP_SIZE: workgroupSize, BY_ROWS: items < count },
        parameters: [count, elements, items, firstItem],
        operands: ['partners', 'partnerWeights', 'partnerCount', 'chosen', 'squaredDistances', 'scale'],
        workgroups: foldGrid(ceilDivide(items, workgroupSize)),
      })),
      sliceable(count, { partners: count, partnerWeights: count, partnerCount: 1, dembeddings: width }, (items, firstItem) => ({
        shader: 'quadruplet_loss_gradient.wgsl',
        entryPoint: 'gradient',
        constants: { Element, WORKGROUP_SIZE: workgroupSize, BY_ROWS: items < count },
        parameters: [count, elements, items, firstItem],
        operands: ['partners', 'partnerWeights', 'partnerCount', 'embeddings', 'dembeddings'],
        workgroups: foldGrid(ceilDivide(items * elements, workgroupSize)),
      })),
    ];
    const tiles: KernelCall = { variant: 'tile per invocation', operands, dispatches: [distances('tilePerInvocation', 1, 4), ...afterDistances] };
    if (Element === 'f32') return [tiles];
    const pairs: KernelCall = { variant: 'pair per invocation', operands, dispatches: [distances('pairPerInvocation', 4, 1), ...afterDistances] };
    return traits.kind === 'cpu' ? [tiles, pairs] : [pairs, tiles];
  },
  reference,
  cost: ({ count, width }) => ({ flop: 3 * count * count * width + 20 * count * width, bytes: 8 * count * width + 4 * count * count }),
  cases: [
    { count: 1, width: 4 },
    { count: 2, width: 3 },
    { count: 13, width: 5, mining: 'semi-hard' },
    { count: 13, width: 8, mining: 'random', margin: 0.5 },
    { count: 48, width: 512 },
    { count: 50, width: 63, mining: 'semi-hard' },
    { count: 64, width: 128, mining: 'random' },
    { count: 203, width: 64 },
  ],
  sampleInputs,
};

/** The items chosen for an anchor, NONE where there are none. */
interface Quadruplet {
  readonly positive: number;
  readonly negatives: readonly [ownDomain: number, otherDomain: number];
}

interface Distances {
  readonly squared: Float64Array;
  readonly distance: Float64Array;
  /** Bounds on the float32 error of `distance`. */
  readonly error: Float64Array;
}

function distancesOf({ count, width }: QuadrupletLossProblem, embeddings: Float64Array): Distances {
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
  const error = distance.map((d, i) => (sumError(width, squared[i]) + 3 * EPSILON * squared[i]) / (2 * d) + 9 * EPSILON * d);
  return { squared, distance, error };
}

/** What each item is to an anchor: candidates for the positive and the two negatives, in index order. */
function candidatesOf(anchor: number, { labels, domains }: Values): { positives: number[]; negatives: [number[], number[]] } {
  const positives: number[] = [];
  const negatives: [number[], number[]] = [[], []];
  labels.forEach((label, item) => {
    const own = domains[item] === domains[anchor];
    if (label !== labels[anchor]) negatives[own ? 0 : 1].push(item);
    else if (!own) positives.push(item);
  });
  return { positives, negatives };
}

function choose(anchor: number, { count, mining = 'hardest' }: QuadrupletLossProblem, inputs: Values, { squared }: Distances): Quadruplet {
  const { positives, negatives } = candidatesOf(anchor, inputs);
  if (mining === 'random') {
    const words = pcg3d(inputs.seed[0], anchor, 0);
    const pick = (items: readonly number[], word: number): number => (items.length === 0 ? NONE : items[word % items.length]);
    return { positive: pick(positives, words[0]), negatives: [pick(negatives[0], words[1]), pick(negatives[1], words[2])] };
  }
  const to = (item: number): number => squared[anchor * count + item];
  // Strict comparisons keep the lowest index.
  const nearest = (items: readonly number[]): number => items.reduce((best, item) => (best === NONE || to(item) < to(best) ? item : best), NONE);
  const positive = positives.reduce((best, item) => (best === NONE || to(item) > to(best) ? item : best), NONE);
  const negative = (items: readonly number[]): number => {
    const farther = mining === 'semi-hard' && positive !== NONE ? items.filter((item) => to(item) > to(positive)) : [];
    return nearest(farther.length > 0 ? farther : items);
  };
  return { positive, negatives: [negative(negatives[0]), negative(negatives[1])] };
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

function reference(problem: QuadrupletLossProblem, inputs: Values): Record<'loss' | 'dembeddings' | 'statistics', Expected> {
  const { count, width, margin = DEFAULT_MARGIN } = problem;
  const { embeddings } = inputs;
  const distances = distancesOf(problem, embeddings);
  const { squared, distance, error } = distances;

  const valid = [0, 0];
  const active = [0, 0];
  let hingeSum = 0;
  let hingeError = 0;
  // Sums of distances, and of their errors: to positives, to negatives of the own and of the other domain.
  const sums = [0, 0, 0];
  const errors = [0, 0, 0];
  const pulls = new Float64Array(count * count);
  for (let anchor = 0; anchor < count; anchor++) {
    const { positive, negatives } = choose(anchor, problem, inputs, distances);
    const toPositive = anchor * count + positive;
    negatives.forEach((negative, domain) => {
      if (positive === NONE || negative === NONE) return;
      const toNegative = anchor * count + negative;
      valid[domain]++;
      sums[0] += distance[toPositive];
      errors[0] += error[toPositive];
      sums[1 + domain] += distance[toNegative];
      errors[1 + domain] += error[toNegative];
      const hinge = distance[toPositive] - distance[toNegative] + margin;
      if (hinge <= 0) return;
      active[domain]++;
      hingeSum += hinge;
      hingeError += error[toPositive] + error[toNegative] + EPSILON * (Math.abs(distance[toPositive] - distance[toNegative]) + margin + hinge);
      pulls[toPositive]++;
      pulls[toNegative]--;
    });
  }
  const hinges = valid[0] + valid[1];

  const dembeddings = { value: new Float64Array(count * width), error: new Float64Array(count * width) };
  for (let i = 0; i < count; i++) {
    const partners: number[] = [];
    for (let j = 0; j < count; j++) if (pulls[i * count + j] + pulls[j * count + i] !== 0 && squared[i * count + j] > LEAST_SQUARED) partners.push(j);
    for (let k = 0; k < width; k++) {
      let sum = 0;
      let magnitude = 0;
      let inherited = 0;
      for (const j of partners) {
        const pair = i * count + j;
        const term = ((pulls[pair] + pulls[j * count + i]) / distance[pair] / hinges) * (embeddings[i * width + k] - embeddings[j * width + k]);
        sum += term;
        magnitude += Math.abs(term);
        // Relative: the distance; the division by it and the reciprocal of the count, 2.5 units each; two products and the difference.
        inherited += Math.abs(term) * (error[pair] / distance[pair] + (5 + 5 + 3) * EPSILON);
      }
      dembeddings.value[i * width + k] = sum;
      dembeddings.error[i * width + k] = 1.001 * inherited + sumError(partners.length, magnitude);
    }
  }

  const mean = (sum: number, inherited: number, length: number): [value: number, error: number] =>
    length === 0 ? [0, 0] : [sum / length, (inherited + sumError(2 * count, sum)) / length + 5 * EPSILON * (sum / length)];
  const loss = mean(hingeSum, hingeError, hinges);
  // Counts are exact in float32; only the division of two of them rounds.
  const fraction = (part: number, whole: number): [number, number] => (whole === 0 ? [0, 0] : [part / whole, (5 * EPSILON * part) / whole]);
  const statistics = [
    fraction(active[0] + active[1], hinges),
    mean(sums[0], errors[0], hinges),
    mean(sums[1], errors[1], valid[0]),
    mean(sums[2], errors[2], valid[1]),
    fraction(active[0], valid[0]),
    fraction(active[1], valid[1]),
    [hinges, 0],
    [active[0] + active[1], 0],
  ];
  return {
    loss: { value: Float64Array.of(loss[0]), error: Float64Array.of(loss[1]) },
    dembeddings,
    statistics: { value: Float64Array.from(statistics, ([value]) => value), error: Float64Array.from(statistics, ([, bound]) => bound) },
  };
}

/** How far distances must lie apart in samples where one decides between two items: beyond any error of float32. */
const CLEARANCE = 2e-5;

/**
 * Normalised vectors around class centres, some classes tight and some loose, so that hinges of both kinds occur. Drawn anew
 * until no choice and no hinge hangs on a difference that float32 might decide otherwise.
 */
function sampleInputs(problem: QuadrupletLossProblem, uniform: () => number): Values {
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
  const { count, margin = DEFAULT_MARGIN, mining } = problem;
  const distances = distancesOf(problem, inputs.embeddings);
  let least = Infinity;
  for (let anchor = 0; anchor < count; anchor++) {
    const { positives, negatives } = candidatesOf(anchor, inputs);
    const quadruplet = choose(anchor, problem, inputs, distances);
    const to = (item: number): number => distances.distance[anchor * count + item];
    const differ = (items: readonly number[], chosen: number): void => {
      for (const item of items) if (item !== chosen) least = Math.min(least, Math.abs(to(item) - to(chosen)));
    };
    if (mining !== 'random') differ(positives, quadruplet.positive);
    quadruplet.negatives.forEach((negative, domain) => {
      if (mining !== 'random') differ(negatives[domain], negative);
      if (quadruplet.positive === NONE || negative === NONE) return;
      if (mining === 'semi-hard') differ(negatives[domain], quadruplet.positive);
      least = Math.min(least, Math.abs(to(quadruplet.positive) - to(negative) + margin));
    });
  }
  return least;
}

