import { ceilDivide, f32, foldGrid, sliceable, widestElement, type Dispatch } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import {
  EPSILON,
  sumError,
  type Expected,
  type Kernel,
  type KernelCall,
  type Operand,
  type Values,
} from '../kernel.ts';
import { ownKindFirst } from '../select.ts';

export interface QuadrupletLossProblem {
  /** Items in the batch, sketches and photos together; distances and lists of partners take count^2 words each. */
  readonly count: number;
  /** Components of an embedding. */
  readonly width: number;
  /** 'domain-balanced' if left out; the hinges of each form stand in shaders/loss/quadruplet-loss-mining.wgsl. */
  readonly form?: 'domain-balanced' | 'one-hinge' | 'two-pairs';
  /** 0.2 if left out. */
  readonly margin?: number;
  /** Of the hinge over two pairs of classes; half of the margin if left out, as Chen et al. have it. */
  readonly secondMargin?: number;
  /** Of the other domain's negative in the one hinge, 0 to 1; 0.5 if left out. */
  readonly share?: number;
  /** How positives and negatives are chosen, see shaders/loss/quadruplet-loss-mining.wgsl; 'hardest' if left out. */
  readonly mining?: 'hardest' | 'semi-hard' | 'random';
}

/**
 * What `statistics` holds, in order. Fractions and means are over the valid hinges, and 0 where there are none; of two
 * pairs, the distance to the own domain's negative is that of the pair of two other classes. The domain gap is the
 * distance between the mean embedding of the sketches and that of the photos, the spread the root mean square distance
 * of all embeddings from their mean: at most 1 for embeddings of length 1.
 */
export const QUADRUPLET_STATISTICS = [
  'active fraction',
  'distance to the positive',
  'distance to the negative of the own domain',
  'distance to the negative of the other domain',
  'active fraction of the own domain',
  'active fraction of the other domain',
  'valid hinges',
  'active hinges',
  'domain gap',
  'spread',
] as const;

const DEFAULT_MARGIN = 0.2;
const DEFAULT_SHARE = 0.5;
const FORMS = ['domain-balanced', 'one-hinge', 'two-pairs'] as const;
/** Squared distances are raised to it, and do not move an embedding where they were. */
const LEAST_SQUARED = 1e-12;
const NONE = -1;

/**
 * The domain-balanced quadruplet loss of Tursun et al. (Pattern Recognition 126, 2022), mined in the batch, with its
 * gradient, and two other forms of it: from embeddings [count, width] (normalised already), labels [count] and domains
 * [count] (0 sketch, 1 photo) to loss [1], dembeddings [count, width] and statistics [10]. Random mining reads one more
 * operand, seed [1], which the host changes at every step.
 *
 * In the domain-balanced form every anchor gives up to two hinges [d(a, p) - d(a, n) + margin]+, one for a negative of
 * either domain; the loss is their mean. An anchor without a positive gives none, one without a negative of a domain
 * lacks that hinge.
 */
export const quadrupletLoss: Kernel<QuadrupletLossProblem> = {
  name: 'quadruplet_loss',
  calls: (problem, traits) => {
    const { count, width, mining = 'hardest' } = problem;
    const { form, margin, secondMargin, share } = settingsOf(problem);
    const hinges = [f32(margin), f32(secondMargin), f32(share)];
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
      pulls: { role: 'scratch', type: 'f32', length: 4 * count },
      records: { role: 'scratch', type: 'f32', length: RECORD_COLUMNS * count },
      scale: { role: 'scratch', type: 'f32', length: 1 },
      partners: { role: 'scratch', type: 'u32', length: count * count },
      partnerWeights: { role: 'scratch', type: 'f32', length: count * count },
      partnerCount: { role: 'scratch', type: 'u32', length: count },
    };
    const { Element, elements } = widestElement(width);
    const rows = traits.kind === 'cpu' ? 1 : 8;
    const workgroupSize = traits.kind === 'cpu' ? 8 : 32;
    // Slices are rows of the matrix of distances. Whatever is read of all items (embeddings, chosen, labels) they bind
    // whole.
    const distances = (entryPoint: string, components: number, side: number): Dispatch => {
      const rowsEach = rows * side;
      return sliceable(ceilDivide(count, rowsEach), { squaredDistances: rowsEach * count }, (groups, first) => ({
        shader: shaders.quadrupletLossDistances,
        entryPoint,
        constants: { WORKGROUP_ROWS: rows },
        parameters: [
          count,
          width / components,
          Math.min(groups * rowsEach, count - first * rowsEach),
          first * rowsEach,
        ],
        operands: ['embeddings', 'squaredDistances'],
        workgroups: [ceilDivide(count, 8 * side), groups, 1],
      }));
    };
    const mine = (anchors: number, firstAnchor: number): Dispatch => ({
      shader: shaders.quadrupletLossMining,
      entryPoint: { hardest: 'mineHardest', 'semi-hard': 'mineSemiHard', random: 'mineRandom' }[mining],
      constants: { FORM: FORMS.indexOf(form), WORKGROUP_SIZE: workgroupSize, BY_ROWS: anchors < count },
      parameters: [count, ...hinges, anchors, firstAnchor],
      operands: ['squaredDistances', 'labels', 'domains', 'chosen', 'pulls', 'records', ...(random ? ['seed'] : [])],
      workgroups: foldGrid(ceilDivide(anchors, workgroupSize)),
    });
    const isPaired = form === 'two-pairs';
    const gradientConstants = (items: number) => ({
      Element,
      TWO_PAIRS: isPaired,
      WORKGROUP_SIZE: workgroupSize,
      BY_ROWS: items < count,
    });
    const afterDistances: Dispatch[] = [
      // Of two pairs an anchor reads the distances of its choice, too.
      isPaired ? mine(count, 0) : sliceable(count, { squaredDistances: count }, mine),
      {
        shader: shaders.quadrupletLossMining,
        entryPoint: 'summarise',
        constants: { FORM: FORMS.indexOf(form), WORKGROUP_SIZE: workgroupSize, BY_ROWS: false },
        parameters: [count, ...hinges, count, 0],
        operands: ['records', 'loss', 'statistics', 'scale'],
        workgroups: [1, 1, 1],
      },
      sliceable(
        count,
        { partners: count, partnerWeights: count, partnerCount: 1, squaredDistances: count },
        (items, firstItem) => ({
          shader: shaders.quadrupletLossGradient,
          entryPoint: 'gatherPartners',
          constants: gradientConstants(items),
          parameters: [count, elements, items, firstItem],
          operands: ['partners', 'partnerWeights', 'partnerCount', 'chosen', 'pulls', 'squaredDistances', 'scale'],
          workgroups: foldGrid(ceilDivide(items, workgroupSize)),
        }),
      ),
      sliceable(
        count,
        { partners: count, partnerWeights: count, partnerCount: 1, dembeddings: width },
        (items, firstItem) => ({
          shader: shaders.quadrupletLossGradient,
          entryPoint: 'gradient',
          constants: gradientConstants(items),
          parameters: [count, elements, items, firstItem],
          operands: ['partners', 'partnerWeights', 'partnerCount', 'embeddings', 'dembeddings'],
          workgroups: foldGrid(ceilDivide(items * elements, workgroupSize)),
        }),
      ),
    ];
    const tiles: KernelCall = {
      variant: 'tile per invocation',
      operands,
      dispatches: [distances('tilePerInvocation', 1, 4), ...afterDistances],
    };
    if (Element === 'f32') return [tiles];
    const pairs: KernelCall = {
      variant: 'pair per invocation',
      operands,
      dispatches: [distances('pairPerInvocation', 4, 1), ...afterDistances],
    };
    return ownKindFirst(traits, { gpu: [pairs], cpu: [tiles] });
  },
  reference,
  cost: ({ count, width }) => ({
    flop: 3 * count * count * width + 20 * count * width,
    bytes: 8 * count * width + 4 * count * count,
  }),
  cases: [
    { count: 1, width: 4 },
    { count: 2, width: 3 },
    { count: 13, width: 5, mining: 'semi-hard' },
    { count: 13, width: 8, mining: 'random', margin: 0.5 },
    { count: 48, width: 512 },
    { count: 50, width: 63, mining: 'semi-hard' },
    { count: 64, width: 128, mining: 'random' },
    { count: 203, width: 64 },
    { count: 3, width: 5, form: 'one-hinge' },
    { count: 47, width: 96, form: 'one-hinge', share: 0.25, mining: 'semi-hard' },
    { count: 29, width: 16, form: 'one-hinge', share: 1, mining: 'random' },
    { count: 5, width: 7, form: 'two-pairs' },
    { count: 48, width: 64, form: 'two-pairs', margin: 0.5 },
    { count: 31, width: 33, form: 'two-pairs', secondMargin: 0.3, mining: 'semi-hard' },
    { count: 37, width: 12, form: 'two-pairs', mining: 'random' },
  ],
  sampleInputs,
};

/** Columns of `records`, see the shader. */
const RECORD_COLUMNS = 12;

function settingsOf({
  form = 'domain-balanced',
  margin = DEFAULT_MARGIN,
  secondMargin = margin / 2,
  share = DEFAULT_SHARE,
}: QuadrupletLossProblem) {
  return { form, margin, secondMargin, share } as const;
}

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

function hingesOf(
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
  const squaredError = squared.map((value) => sumError(width, value) + 3 * EPSILON * value);
  const error = distance.map((d, i) => squaredError[i] / (2 * d) + 9 * EPSILON * d);
  return { squared, squaredError, distance, error };
}

/** What each item is to an anchor: candidates for the positive and the two negatives, in index order. */
function candidatesOf(
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
function thirdsOf(anchor: number, other: number, { labels, domains }: Values): number[] {
  if (other === NONE) return [];
  return [...labels.keys()].filter(
    (item) => domains[item] === domains[anchor] && labels[item] !== labels[anchor] && labels[item] !== labels[other],
  );
}

function choose(anchor: number, problem: QuadrupletLossProblem, inputs: Values, { squared }: Distances): Quadruplet {
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

function reference(
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

/** How far distances must lie apart in samples where one decides between two items: beyond any error of float32. */
const CLEARANCE = 2e-5;

/**
 * Normalised vectors around class centres, some classes tight and some loose, so that hinges of both kinds occur. Drawn
 * anew until no choice and no hinge hangs on a difference that float32 might decide otherwise.
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
