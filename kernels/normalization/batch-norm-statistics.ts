import { f32, type Dispatch } from '../contract/dispatch.ts';
import { widestElement, type FloatType } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, type Expected } from '../kernel.ts';
import { combiningBlocks, reducingBlocks, type BlockStyle } from '../reduction/row-blocks.ts';

/** Sizes of a matrix [rows, channels]; epsilon is added to the variance. */
export interface StatisticsProblem {
  readonly rows: number;
  readonly channels: number;
  readonly epsilon: number;
}

const constantsOf = (style: BlockStyle, channels: number, { Element, Stored } = widestElement(channels)) => ({
  Element,
  Stored,
  Index: Element === 'f32' ? 'u32' : 'vec4u',
  WORKGROUP_SIZE: style.workgroupSize,
  SHARED_ROWS: style.sharedRows,
});

/** Elements of a row of partials: shift, rest and squares of each channel (moments.wgsl). */
const PARTIALS = 3;

/** Elements of the partial results of so many blocks. */
export const partialsOf = (blocks: number, channels: number): number => PARTIALS * blocks * channels;

/** Elements of the scratch operand `partials` between the two passes. */
export const partialsLength = (style: BlockStyle, rows: number, channels: number): number =>
  partialsOf(reducingBlocks(style, rows, channels).blocks, channels);

/** Both passes over `matrix` of the given type, through `partials` to `mean`, `inverseDeviation` and `variance`. */
export function statisticsDispatches(
  style: BlockStyle,
  problem: StatisticsProblem,
  matrix: string,
  type: FloatType = 'f32',
): readonly [Dispatch, Dispatch] {
  const { rows, channels } = problem;
  const blocks = reducingBlocks(style, rows, channels);
  const element = widestElement(channels, type);
  const reduce = sliceable(
    blocks.blocks,
    { [matrix]: blocks.blockLength, partials: PARTIALS * channels },
    (count, first): Dispatch => {
      const { parameters, workgroups } = blocks.slice(count, first);
      return {
        shader: shaders.batchNormStatistics,
        libraries: [shaders.moments, shaders.rowBlocks, shaders.partialSums],
        entryPoint: 'block_statistics',
        features: element.features,
        constants: constantsOf(style, channels, element),
        parameters: [...parameters, 0, 0, f32(0), 0],
        operands: [matrix, 'partials'],
        workgroups,
      };
    },
  );
  return [reduce, combineDispatch(style, problem, blocks)];
}

/** Both passes over the sum of `count` matrices that lie behind each other in `parts`; the sum goes to `matrix`. */
export function partialSumsStatisticsDispatches(
  style: BlockStyle,
  problem: StatisticsProblem,
  partialSums: string,
  count: number,
  matrix: string,
): readonly [Dispatch, Dispatch] {
  const { rows, channels } = problem;
  const blocks = reducingBlocks(style, rows, channels);
  const reduce: Dispatch = {
    shader: shaders.batchNormStatistics,
    libraries: [shaders.moments, shaders.rowBlocks, shaders.partialSums],
    entryPoint: 'partial_sums_statistics',
    constants: constantsOf(style, channels),
    parameters: [...blocks.parameters, 0, 0, f32(0), count],
    operands: [partialSums, matrix, 'partials'],
    workgroups: blocks.workgroups,
  };
  return [reduce, combineDispatch(style, problem, blocks)];
}

/** The second pass alone, for whoever has the partial results of the blocks from elsewhere. */
export function combineDispatch(
  style: BlockStyle,
  { rows, channels, epsilon }: StatisticsProblem,
  { blocks, rowsPerBlock }: { readonly blocks: number; readonly rowsPerBlock: number },
): Dispatch {
  const { parameters, workgroups } = combiningBlocks(style, blocks, channels);
  return {
    shader: shaders.batchNormStatistics,
    libraries: [shaders.moments, shaders.rowBlocks, shaders.partialSums],
    entryPoint: 'combine',
    constants: constantsOf(style, channels),
    parameters: [...parameters, rows, rowsPerBlock, f32(epsilon), 0],
    operands: ['partials', 'mean', 'inverseDeviation', 'variance'],
    workgroups,
  };
}

/** Row invocations of a workgroup, whose results are put together one after the other. */
const MOST_ROW_INVOCATIONS = 32;

/**
 * How many rounding errors of a result's size its error may be: an invocation, the invocations of a workgroup and the blocks put
 * moments together one after the other, three roundings each. All terms are positive, so that the error grows as the
 * square root of their number (4 standard deviations).
 */
const roundings = (rows: number): number => 4 * Math.sqrt(3 * (MOST_ROW_INVOCATIONS + Math.sqrt(rows))) + 8;

/**
 * The statistics of each column of x, given how far the x that the device sees may be from the exact one. The bounds
 * are relative to the variance itself and to the mean distance from the mean: no outlier and no distance of the mean
 * from zero widens them.
 */
export function expectedStatistics(
  x: Expected,
  { rows, channels, epsilon }: StatisticsProblem,
): Record<'mean' | 'inverseDeviation' | 'variance', Expected> {
  const mean = blankExpected(channels);
  const inverseDeviation = blankExpected(channels);
  const variance = blankExpected(channels);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    let errors = 0;
    for (let i = c; i < x.value.length; i += channels) {
      sum += x.value[i];
      errors += x.error[i];
    }
    mean.value[c] = sum / rows;
    const inheritedMean = errors / rows;
    let squares = 0;
    let distances = 0;
    // The variance of x + d instead of x differs by (2 sum (x - mean) d + sum d^2) / n. What d does to the mean only makes it smaller.
    let inheritedSquares = 0;
    for (let i = c; i < x.value.length; i += channels) {
      const difference = x.value[i] - mean.value[c];
      squares += difference ** 2;
      distances += Math.abs(difference) + x.error[i];
      inheritedSquares += (2 * Math.abs(difference) + x.error[i]) * x.error[i];
    }
    const biased = squares / rows;
    inverseDeviation.value[c] = 1 / Math.sqrt(biased + epsilon);
    variance.value[c] = rows > 1 ? squares / (rows - 1) : 0;

    mean.error[c] =
      inheritedMean + EPSILON * (2 * (Math.abs(mean.value[c]) + inheritedMean) + (roundings(rows) * distances) / rows);
    // The divisions may err by 2.5 ulp each.
    const biasedError = (inheritedSquares + EPSILON * (roundings(rows) + 10) * (squares + inheritedSquares)) / rows;
    variance.error[c] = rows > 1 ? (biasedError * rows) / (rows - 1) : 0;
    // 2 ulp of inverseSqrt, the rounding of its argument, and that of epsilon to float32.
    const largest = 1 / Math.sqrt(Math.max(biased - biasedError, 0) + epsilon);
    inverseDeviation.error[c] = largest - inverseDeviation.value[c] + 8 * EPSILON * largest;
  }
  return { mean, inverseDeviation, variance };
}
