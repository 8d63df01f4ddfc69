import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { FloatType } from '../contract/element-types.ts';
import { ceilDivide } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import {
  combineDispatch,
  expectedStatistics,
  partialsLength,
  partialsOf,
  partialSumsStatisticsDispatches,
  statisticsDispatches,
  type StatisticsProblem,
} from '../normalization/batch-norm-statistics.ts';
import { convolution } from './forward.ts';
import { HALF, miniature, operandSizes, sized, type ConvolutionShape } from './problem.ts';
import { gatherCalls } from './variants.ts';
import type { Cost, Kernel, KernelCall, Operand } from '../kernel.ts';
import { blockStyles } from '../reduction/row-blocks.ts';
import { ownKindFirst } from '../select.ts';
import { withStatistics } from './winograd.ts';

export interface ConvolutionStatisticsProblem extends ConvolutionShape {
  /** Added to the variance. */
  readonly epsilon: number;
}

/** y as a matrix of pixels and channels. */
const matrixOf = (problem: ConvolutionStatisticsProblem): StatisticsProblem => ({
  rows: operandSizes(problem).y / problem.outputChannels,
  channels: problem.outputChannels,
  epsilon: problem.epsilon,
});

const statisticsOf = ({ channels }: StatisticsProblem): Record<string, Operand> => {
  const vector: Operand = { role: 'output', type: 'f32', length: channels };
  return { mean: vector, inverseDeviation: vector, variance: vector };
};

/** The convolution alone computes y once more. */
const againFor = (dispatches: number, cost: Cost): KernelCall['again'] => ({
  y: { dispatches: [...Array(dispatches).keys()], cost },
});

/** A convolution, then both passes of the statistics over its y. */
function inThreePasses(call: KernelCall, problem: ConvolutionStatisticsProblem, traits: AdapterTraits): KernelCall {
  const matrix = matrixOf(problem);
  const [style] = blockStyles(traits);
  const { errorBound } = call;
  return {
    ...call,
    operands: {
      ...call.operands,
      ...statisticsOf(matrix),
      partials: { role: 'scratch', type: 'f32', length: partialsLength(style, matrix.rows, matrix.channels) },
    },
    dispatches: [...call.dispatches, ...statisticsDispatches(style, matrix, 'y', call.operands.y.type as FloatType)],
    again: againFor(call.dispatches.length, convolution.cost(problem)),
    ...(errorBound && { errorBound: inheritedBound(errorBound, problem) }),
  };
}

/** Error bounds of y and what follows from it, where the error of y is of another kind than the direct sum's. */
function inheritedBound(
  ofY: NonNullable<KernelCall['errorBound']>,
  problem: ConvolutionStatisticsProblem,
): NonNullable<KernelCall['errorBound']> {
  return (inputs) => {
    const y = { ...convolution.reference(problem, inputs).y, error: ofY(inputs).y };
    const statistics = expectedStatistics(y, matrixOf(problem));
    return {
      y: y.error,
      mean: statistics.mean.error,
      inverseDeviation: statistics.inverseDeviation.error,
      variance: statistics.variance.error,
    };
  };
}

/**
 * A convolution whose statistics cost no reading of y: where it is last in somebody's registers, it is reduced as well.
 */
function fused(call: KernelCall, problem: ConvolutionStatisticsProblem, traits: AdapterTraits): KernelCall | undefined {
  return (
    fusedTiles(call, problem, traits) ?? fusedPartials(call, problem, traits) ?? fusedWinograd(call, problem, traits)
  );
}

/** Where a reduction was split, the pass that adds the parts also reduces the columns of their sum. */
function fusedPartials(
  call: KernelCall,
  problem: ConvolutionStatisticsProblem,
  traits: AdapterTraits,
): KernelCall | undefined {
  const [multiply, addPartials] = call.dispatches;
  if (call.product === undefined || addPartials?.shader !== shaders.sumPartials) return undefined;
  const matrix = matrixOf(problem);
  const [style] = blockStyles(traits);
  const { x, w, y, partialSums } = call.operands;
  // What the multiplication binds for an epilogue that it has not.
  const unused = Object.fromEntries(multiply.operands.slice(3).map((name) => [name, call.operands[name]]));
  return {
    variant: `${call.variant} with statistics`,
    operands: {
      x,
      w,
      y,
      ...unused,
      partialSums,
      ...statisticsOf(matrix),
      partials: { role: 'scratch', type: 'f32', length: partialsLength(style, matrix.rows, matrix.channels) },
    },
    dispatches: [multiply, ...partialSumsStatisticsDispatches(style, matrix, 'partialSums', call.product.splitK, 'y')],
    again: againFor(2, convolution.cost(problem)),
    product: call.product,
  };
}

/** Winograd's transform back reduces the pixels that it makes. */
function fusedWinograd(
  call: KernelCall,
  problem: ConvolutionStatisticsProblem,
  traits: AdapterTraits,
): KernelCall | undefined {
  const matrix = matrixOf(problem);
  const [style] = blockStyles(traits);
  const fusion = withStatistics(call, style);
  if (fusion === undefined) return undefined;
  const { blocks, dispatches } = fusion;
  const { errorBound } = call;
  return {
    ...call,
    variant: `${call.variant} with statistics`,
    operands: {
      ...call.operands,
      ...statisticsOf(matrix),
      partials: { role: 'scratch', type: 'f32', length: partialsOf(blocks.blocks, matrix.channels) },
    },
    dispatches: [...dispatches, combineDispatch(style, matrix, blocks)],
    again: againFor(dispatches.length, convolution.cost(problem)),
    ...(errorBound && { errorBound: inheritedBound(errorBound, problem) }),
  };
}

/**
 * A convolution by tiles of workgroup memory that reduces its tiles' columns while it has them in registers: y is not
 * read again. Undefined for all other variants, where the reduction is split, and where the tiles' memory is too small
 * for it. A slice may begin in the midst of a tile of rows, so that there are none.
 */
function fusedTiles(
  { variant, product, dispatches, operands }: KernelCall,
  problem: ConvolutionStatisticsProblem,
  traits: AdapterTraits,
): KernelCall | undefined {
  const [multiply] = dispatches;
  if (product === undefined || dispatches.length !== 1 || multiply.shader !== shaders.convolutionTiled)
    return undefined;
  const { rows, columns, depth, rowsEach } = product.tile;
  const sums = ((rows / rowsEach) * columns) / 4;
  if (sums > (depth * columns) / 4 || sums > rows * (depth / 4 + 1)) return undefined;
  const matrix = matrixOf(problem);
  const blocks = ceilDivide(matrix.rows, rows);
  const { x, w, y } = operands;
  return {
    variant: `${variant} with statistics`,
    operands: {
      x,
      w,
      y,
      ...statisticsOf(matrix),
      partials: { role: 'scratch', type: 'f32', length: partialsOf(blocks, matrix.channels) },
    },
    dispatches: [
      { ...multiply, entryPoint: 'with_statistics', operands: ['x', 'w', 'y', 'partials'], slices: undefined },
      combineDispatch(blockStyles(traits)[0], matrix, { blocks, rowsPerBlock: rows }),
    ],
    again: againFor(1, convolution.cost(problem)),
    product,
  };
}

function callsWithStatistics(problem: ConvolutionStatisticsProblem, traits: AdapterTraits): KernelCall[] {
  return gatherCalls(problem, 'forward', traits).flatMap((call) => {
    const apart = inThreePasses(call, problem, traits);
    const together = fused(call, problem, traits);
    if (together === undefined) return [apart];
    // To meet in workgroup memory is dear where a processor has to pretend that it has some.
    return ownKindFirst(traits, { gpu: [together], cpu: [apart] });
  });
}

/** In tiles that look for no end of a K-tile: whole, of each depth, then split-K. */
const WHOLE_K_TILES: readonly ConvolutionStatisticsProblem[] = [
  sized(1, [5, 7], [16, 36], 3, 2, 1, { epsilon: 1e-5 }),
  sized(1, [5, 7], [32, 36], 3, 2, 1, { epsilon: 1e-5 }),
  sized(1, [3, 5], [512, 36], 1, 1, 0, { epsilon: 1e-5 }),
  sized(1, [5, 7], [512, 36], 1, 2, 0, { epsilon: 1e-5 }),
];

/**
 * y = x * w, and mean, inverse deviation (from the biased variance and epsilon) and unbiased variance of each channel
 * of y: all of batch normalization in training but its last pass, which is `normalize`.
 */
export const convolutionStatistics: Kernel<ConvolutionStatisticsProblem> = {
  name: 'convolution_statistics',
  calls: callsWithStatistics,
  // In 16-bit floats, of the sums themselves or of y as it is stored, by variant.
  reference: (problem, inputs) => {
    const { y } = convolution.reference(problem, inputs);
    return { y, ...expectedStatistics(y, matrixOf(problem)) };
  },
  // Three operations an element for the statistics. Each operand once, as where y is not read again.
  cost: (problem) => {
    const { flop, bytes } = convolution.cost(problem);
    return { flop: flop + 3 * operandSizes(problem).y, bytes };
  },
  // Reductions short enough not to be split, so that tiles are fused; then what is left.
  cases: [
    sized(1, [1, 1], [4, 4], 1, 1, 0, { epsilon: 1e-5 }),
    sized(3, [11, 13], [12, 140], 1, 1, 0, { epsilon: 1e-5 }),
    sized(2, [9, 15], [8, 36], 3, 2, 1, { epsilon: 1e-3 }),
    sized(1, [17, 19], [4, 24], 7, 2, 3, { epsilon: 1e-5 }),
    sized(2, [7, 5], [13, 17], 3, 1, 1, { epsilon: 1e-5 }),
    sized(1, [5, 6], [268, 68], 1, 1, 0, { epsilon: 1e-5 }),
    sized(2, [6, 5], [64, 64], 3, 1, 1, { epsilon: 1e-5 }),
    // A block of 32 channels, and many pixels whose channels end within one of 96.
    sized(1, [5, 7], [32, 32], 1, 1, 0, { epsilon: 1e-5 }),
    sized(1, [5, 7], [32, 64], 1, 1, 0, { epsilon: 1e-5 }),
    sized(24, [5, 7], [332, 64], 1, 2, 0, { epsilon: 1e-5 }),
    // Few pixels, whose accumulators are resident from K-tile to K-tile.
    sized(1, [5, 7], [128, 124], 1, 1, 0, { epsilon: 1e-5 }),
    sized(2, [5, 7], [128, 124], 1, 2, 0, { epsilon: 1e-5 }),
    sized(1, [5, 7], [64, 124], 3, 1, 1, { epsilon: 1e-5 }),
    sized(7, [5, 7], [64, 124], 3, 2, 1, { epsilon: 1e-5 }),
    ...WHOLE_K_TILES,
    // In 16-bit floats: tiles that reduce their own columns; then split-K, which cannot.
    sized(2, [9, 15], [8, 36], 3, 2, 1, { ...HALF, epsilon: 1e-3 }),
    sized(1, [5, 7], [520, 68], 1, 1, 0, { ...HALF, epsilon: 1e-5 }),
    sized(1, [9, 15], [68, 36], 3, 2, 1, { ...HALF, epsilon: 1e-5 }),
    sized(8, [5, 7], [520, 64], 1, 1, 0, { ...HALF, epsilon: 1e-5 }),
    sized(24, [5, 7], [520, 64], 1, 2, 0, { ...HALF, epsilon: 1e-5 }),
    ...WHOLE_K_TILES.map((problem) => ({ ...problem, ...HALF })),
  ],
  miniature,
};
