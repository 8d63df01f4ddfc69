import { f32, sliceable, widestElement, type Dispatch, type FloatType } from '../src/gpu/dispatch.ts';
import * as shaders from '../src/gpu/generated/shaders.ts';
import { blankExpected } from './expected.ts';
import { EPSILON, sumError, type Expected } from './kernel.ts';
import { combiningBlocks, reducingBlocks, type BlockStyle } from './row-blocks.ts';

/** Of a matrix [rows, channels]; epsilon is added to the variance. */
export interface StatisticsProblem {
  readonly rows: number;
  readonly channels: number;
  readonly epsilon: number;
}

const constantsOf = (style: BlockStyle, channels: number, { Element, Stored } = widestElement(channels)) => ({
  Element,
  Stored,
  WORKGROUP_SIZE: style.workgroupSize,
  SHARED_ROWS: style.sharedRows,
});

/** Elements of the scratch operand `partials` between the two passes. */
export const partialsLength = (style: BlockStyle, rows: number, channels: number): number => 2 * reducingBlocks(style, rows, channels).blocks * channels;

/** Both passes over `matrix` of the given type, through `partials` to `mean`, `inverseDeviation` and `variance`. */
export function statisticsDispatches(style: BlockStyle, problem: StatisticsProblem, matrix: string, type: FloatType = 'f32'): readonly [Dispatch, Dispatch] {
  const { rows, channels } = problem;
  const blocks = reducingBlocks(style, rows, channels);
  const element = widestElement(channels, type);
  const reduce = sliceable(blocks.blocks, { [matrix]: blocks.blockLength, partials: 2 * channels }, (count, first): Dispatch => {
    const { parameters, workgroups } = blocks.slice(count, first);
    return {
      shader: shaders.batch_norm_statistics,
      libraries: [shaders.row_blocks],
      entryPoint: 'block_statistics',
      features: element.features,
      constants: constantsOf(style, channels, element),
      parameters: [...parameters, 0, 0, f32(0), 0],
      operands: [matrix, 'partials'],
      workgroups,
    };
  });
  return [reduce, combineDispatch(style, problem, blocks)];
}

/** Both passes over the sum of `count` matrices that lie behind each other in `parts`; the sum goes to `matrix`. */
export function partsStatisticsDispatches(style: BlockStyle, problem: StatisticsProblem, parts: string, count: number, matrix: string): readonly [Dispatch, Dispatch] {
  const { rows, channels } = problem;
  const blocks = reducingBlocks(style, rows, channels);
  const reduce: Dispatch = {
    shader: shaders.batch_norm_statistics,
    libraries: [shaders.row_blocks],
    entryPoint: 'parts_statistics',
    constants: constantsOf(style, channels),
    parameters: [...blocks.parameters, 0, 0, f32(0), count],
    operands: [parts, matrix, 'partials'],
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
    shader: shaders.batch_norm_statistics,
    libraries: [shaders.row_blocks],
    entryPoint: 'combine',
    constants: constantsOf(style, channels),
    parameters: [...parameters, rows, rowsPerBlock, f32(epsilon), 0],
    operands: ['partials', 'mean', 'inverseDeviation', 'variance'],
    workgroups,
  };
}

/** The statistics of each column of x, given how far the x that the device sees may be from the exact one. */
export function expectedStatistics(x: Expected, { rows, channels, epsilon }: StatisticsProblem): Record<'mean' | 'inverseDeviation' | 'variance', Expected> {
  const mean = blankExpected(channels);
  const inverseDeviation = blankExpected(channels);
  const variance = blankExpected(channels);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    let errors = 0;
    let worst = 0;
    let least = Infinity;
    let most = -Infinity;
    for (let i = c; i < x.value.length; i += channels) {
      sum += x.value[i];
      errors += x.error[i];
      worst = Math.max(worst, x.error[i]);
      least = Math.min(least, x.value[i]);
      most = Math.max(most, x.value[i]);
    }
    mean.value[c] = sum / rows;
    let squares = 0;
    // Of x + d instead of x: (2 sum (x - mean) d + sum d^2) / n. What d does to the mean only makes it smaller.
    let inheritedSquares = 0;
    for (let i = c; i < x.value.length; i += channels) {
      const difference = x.value[i] - mean.value[c];
      squares += difference ** 2;
      inheritedSquares += (2 * Math.abs(difference) + x.error[i]) * x.error[i];
    }
    const biased = squares / rows;
    inverseDeviation.value[c] = 1 / Math.sqrt(biased + epsilon);
    variance.value[c] = rows > 1 ? squares / (rows - 1) : 0;

    // Every term of a shifted sum is at most the range of the column; a mean is rounded once for its block, once at the
    // end. The divisions may err by 2.5 ulp each.
    const range = most - least + 2 * worst;
    const inheritedMean = errors / rows;
    const averageError = (magnitude: number): number => (range === 0 ? 0 : sumError(rows, rows * magnitude) / rows + 10 * EPSILON * magnitude);
    const meanRounding = 3 * EPSILON * (Math.abs(mean.value[c]) + inheritedMean + range) + averageError(range);
    mean.error[c] = inheritedMean + meanRounding;
    // (mean_b - K)^2 inherits the errors of two means, times twice their difference, which is at most the range.
    const biasedError = inheritedSquares / rows + 2 * averageError(range ** 2) + 4 * range * meanRounding;
    variance.error[c] = rows > 1 ? (biasedError * rows) / (rows - 1) + 10 * EPSILON * (variance.value[c] + biasedError) : 0;
    // 2 ulp of inverseSqrt, the rounding of its argument, and that of epsilon to float32.
    const largest = 1 / Math.sqrt(Math.max(biased - biasedError, 0) + epsilon);
    inverseDeviation.error[c] = largest - inverseDeviation.value[c] + 8 * EPSILON * largest;
  }
  return { mean, inverseDeviation, variance };
}
