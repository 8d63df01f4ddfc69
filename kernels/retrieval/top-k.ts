import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { ALWAYS_BOUND, BINDING_ALIGNMENT, sliceable } from '../contract/slices.ts';
import { ASSUMED_COMPUTE_UNITS } from '../contract/tiles.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { sumError, type Expected, type Kernel, type KernelCall, type Operand, type Values } from '../kernel.ts';
import { ownKindFirst } from '../select.ts';

export interface TopKProblem {
  readonly queries: number;
  /** Items of the gallery. */
  readonly items: number;
  /** Values of a row of either. */
  readonly dimension: number;
  /** Items that are selected for each query, up to MOST_SELECTED. */
  readonly k: number;
}

/** The largest k. Insertion takes time in proportion to it; metrics of longer lists need other kernels. */
export const MOST_SELECTED = 64;
/** The index where a query has fewer than k items with a score. */
export const NO_ITEM = 0xffffffff;

const COLUMNS = 64;
const DEPTH = 16;
/** Queries of a tile, the preferred number first: long lists leave room for fewer. */
const TILE_ROWS = [64, 32, 16];
/** Elements of a query in private memory. */
const PRIVATE_DEPTHS = [32, 64];
/** Workgroups that keep a processor's cores busy to the end. */
const PROCESSOR_WORKGROUPS = 16;
const MERGE_WORKGROUP_SIZE = 32;
/** Items of the shortest segment, a multiple of the alignment of bindings. */
const SHORTEST_SEGMENT = 512;

/**
 * The k items of the gallery with the largest scores queries [queries, dimension] x gallery [items, dimension]^T, for
 * each query: scores [queries, k] f32, best first, and indices [queries, k] u32. Equal scores are in the order of their
 * indices. A score that is NaN is never selected. Where fewer than k items have a score, the rest is -Infinity and
 * NO_ITEM. No matrix of scores is stored: each workgroup selects the k best of a segment of the gallery, and a second
 * dispatch merges the segments.
 */
export const topK: Kernel<TopKProblem> = {
  name: 'top_k',
  calls: (problem, traits) =>
    problem.k > MOST_SELECTED
      ? []
      : ownKindFirst(traits, { gpu: tiled(problem, traits), cpu: queryStationary(problem, traits) }),
  reference,
  cost: ({ queries, items, dimension, k }) => ({
    flop: 2 * queries * items * dimension,
    bytes: 4 * (dimension * (queries + items) + 2 * queries * k),
  }),
  // Few different k: each makes pipelines of its own.
  cases: [
    { queries: 1, items: 1, dimension: 1, k: 10 },
    { queries: 5, items: 7, dimension: 3, k: 10 },
    { queries: 67, items: 131, dimension: 20, k: 10 },
    { queries: 33, items: 1091, dimension: 36, k: 10 },
    { queries: 3, items: 2049, dimension: 132, k: MOST_SELECTED },
  ],
  // Small whole numbers: their sums are exact in any order, and many scores are equal.
  sampleInputs: ({ queries, items, dimension }, uniform): Values => ({
    queries: Float64Array.from({ length: queries * dimension }, () => Math.round(4 * uniform())),
    gallery: Float64Array.from({ length: items * dimension }, () => Math.round(4 * uniform())),
  }),
};

function tiled(problem: TopKProblem, traits: AdapterTraits): KernelCall[] {
  const { k } = problem;
  const rows = TILE_ROWS.find(
    (candidate) =>
      (candidate * COLUMNS) / 16 <= traits.maxWorkgroupInvocations &&
      workgroupBytes(candidate, k) <= traits.maxWorkgroupStorageBytes,
  );
  if (rows === undefined) return [];
  return [
    inSegments(`tiled ${rows}x${COLUMNS}x${DEPTH}`, problem, rows, 4096, ASSUMED_COMPUTE_UNITS, {
      shader: shaders.topKTiled,
      constants: { ROWS: rows, COLUMNS, DEPTH, K: k },
    }),
  ];
}

/** Both tiles of the factors with their padding, the scores of a tile with their marks, and the lists. */
const workgroupBytes = (rows: number, k: number): number =>
  16 * DEPTH * (rows / 4 + 1 + COLUMNS / 4 + 1) + 4 * rows * (COLUMNS + COLUMNS / 32) + 8 * rows * k;

function queryStationary(problem: TopKProblem, { subgroupSize: lanes }: AdapterTraits): KernelCall[] {
  const { dimension, k } = problem;
  if ((lanes !== 4 && lanes !== 8) || dimension % 4 !== 0) return [];
  const depth = PRIVATE_DEPTHS.find((each) => each >= dimension) ?? PRIVATE_DEPTHS[PRIVATE_DEPTHS.length - 1];
  return [
    inSegments(`query-stationary ${depth}`, problem, 4 * lanes, 65536, PROCESSOR_WORKGROUPS, {
      shader: shaders.topKQueryStationary,
      features: ['subgroups'],
      constants: { LANES: lanes, DEPTH: depth, K: k },
    }),
  ];
}

/**
 * @param rows queries of a workgroup
 * @param longest items of a segment where there are many
 * @param workgroups that should run at least
 */
function inSegments(
  variant: string,
  { queries, items, dimension, k }: TopKProblem,
  rows: number,
  longest: number,
  workgroups: number,
  selection: Pick<Dispatch, 'shader' | 'features' | 'constants'>,
): KernelCall {
  // Each segment begins with an empty list, so that long ones insert less; short ones keep more compute units busy.
  // Each is a slice of its own where the gallery is above the largest binding.
  let segment = longest;
  while (
    segment > SHORTEST_SEGMENT &&
    (ceilDivide(queries, rows) * ceilDivide(items, segment) < workgroups || 4 * segment * dimension > ALWAYS_BOUND / 2)
  )
    segment /= 2;
  // Bindings begin at multiples of the alignment.
  const stride = ceilDivide(4 * queries * k, BINDING_ALIGNMENT) * (BINDING_ALIGNMENT / 4);
  const segments = ceilDivide(items, segment);
  const operands: Record<string, Operand> = {
    queries: { role: 'input', type: 'f32', length: queries * dimension },
    gallery: { role: 'input', type: 'f32', length: items * dimension },
    segmentKeys: { role: 'scratch', type: 'u32', length: segments * stride },
    segmentItems: { role: 'scratch', type: 'u32', length: segments * stride },
    scores: { role: 'output', type: 'f32', length: queries * k },
    indices: { role: 'output', type: 'u32', length: queries * k },
  };
  return {
    variant,
    operands,
    dispatches: [
      sliceable(
        segments,
        { gallery: segment * dimension, segmentKeys: stride, segmentItems: stride },
        (count, first) => ({
          ...selection,
          libraries: [shaders.topKOrder],
          parameters: [
            queries,
            Math.min(count * segment, items - first * segment),
            dimension,
            segment,
            first * segment,
            k,
            stride,
          ],
          operands: ['queries', 'gallery', 'segmentKeys', 'segmentItems'],
          workgroups: [ceilDivide(queries, rows), count, 1],
        }),
      ),
      {
        shader: shaders.topKMerge,
        libraries: [shaders.topKOrder],
        constants: { K: k, WORKGROUP_SIZE: MERGE_WORKGROUP_SIZE },
        parameters: [queries, segments, k, stride],
        operands: ['segmentKeys', 'segmentItems', 'scores', 'indices'],
        workgroups: foldGrid(ceilDivide(queries, MERGE_WORKGROUP_SIZE)),
      },
    ],
  };
}

/** Sums of whole numbers are exact up to this magnitude. */
const LARGEST_EXACT = 2 ** 24;

function reference(
  { queries, items, dimension, k }: TopKProblem,
  { queries: q, gallery: g }: Values,
): Readonly<Record<'scores' | 'indices', Expected>> {
  const scores: Expected = {
    value: new Float64Array(queries * k).fill(-Infinity),
    error: new Float64Array(queries * k),
  };
  const indices: Expected = {
    value: new Float64Array(queries * k).fill(NO_ITEM),
    error: new Float64Array(queries * k),
  };
  const whole = q.every(Number.isInteger) && g.every(Number.isInteger);
  for (let query = 0; query < queries; query++) {
    const score = new Float64Array(items);
    let error = 0;
    for (let item = 0; item < items; item++) {
      let magnitude = 0;
      for (let d = 0; d < dimension; d++) {
        const product = q[query * dimension + d] * g[item * dimension + d];
        score[item] += product;
        magnitude += Math.abs(product);
      }
      const isExact = (whole && magnitude <= LARGEST_EXACT) || !Number.isFinite(score[item]);
      if (!isExact) error = Math.max(error, sumError(dimension, magnitude));
    }
    const order = [...score.keys()].filter((item) => !Number.isNaN(score[item]));
    order.sort((a, b) => (score[a] === score[b] ? a - b : score[b] > score[a] ? 1 : -1));
    for (let rank = 0; rank < Math.min(k, order.length); rank++) {
      const at = query * k + rank;
      scores.value[at] = score[order[rank]];
      indices.value[at] = order[rank];
      // No score moves by more than `error`, and so does none of the sorted ones. An item keeps its rank for certain
      // only where both neighbors are further away than twice that; any index passes where they are not.
      scores.error[at] = error;
      const isClose = (other: number): boolean =>
        other >= 0 && other < order.length && Math.abs(score[order[other]] - score[order[rank]]) <= 2 * error;
      if (error > 0 && (isClose(rank - 1) || isClose(rank + 1))) indices.error[at] = Infinity;
    }
  }
  return { scores, indices };
}
