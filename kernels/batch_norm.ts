import { f32, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { blankExpected } from './expected.ts';
import { EPSILON, sumError, type Kernel, type Operand } from './kernel.ts';
import { blockStyles, combiningBlocks, reducingBlocks, visitingBlocks } from './row-blocks.ts';

export interface BatchNormProblem {
  /** N * H * W of an activation in NHWC. */
  readonly rows: number;
  readonly channels: number;
  readonly epsilon: number;
  /** Whether `residual` is added after the normalisation. */
  readonly residual: boolean;
  readonly relu: boolean;
}

/**
 * Batch normalisation in training: y = relu?(gamma * (x - mean) * inverseDeviation + beta (+ residual)) with the
 * statistics of each column of x (Ioffe and Szegedy 2015, algorithm 1).
 * x, residual, y [rows, channels]; all others [channels]. `inverseDeviation` comes from the biased variance and epsilon,
 * as the gradient needs it; `variance` is the unbiased one, as the running statistics keep it (0 for a single row).
 */
export const batchNorm: Kernel<BatchNormProblem> = {
  name: 'batch_norm',
  calls: ({ rows, channels, epsilon, residual, relu }, traits) =>
    blockStyles(traits).map((style) => {
      const { Element } = widestElement(channels);
      const statistics = { Element, WORKGROUP_SIZE: style.workgroupSize, SHARED_ROWS: style.sharedRows };
      const blocks = reducingBlocks(style, rows, channels);
      const combination = combiningBlocks(style, blocks.blocks, channels);
      const visit = visitingBlocks(style, rows, channels);
      const matrix = { type: 'f32', length: rows * channels } as const;
      const vector = { type: 'f32', length: channels } as const;
      const residualInput: Record<string, Operand> = residual ? { residual: { role: 'input', ...matrix } } : {};
      return {
        variant: `${style.name}, ${Element}`,
        operands: {
          x: { role: 'input', ...matrix },
          gamma: { role: 'input', ...vector },
          beta: { role: 'input', ...vector },
          ...residualInput,
          y: { role: 'output', ...matrix },
          mean: { role: 'output', ...vector },
          inverseDeviation: { role: 'output', ...vector },
          variance: { role: 'output', ...vector },
          partials: { role: 'scratch', type: 'f32', length: 2 * blocks.blocks * channels },
        },
        dispatches: [
          sliceable(blocks.blocks, { x: blocks.blockLength, partials: 2 * channels }, (count, first) => {
            const { parameters, workgroups } = blocks.slice(count, first);
            return {
              shader: 'batch_norm_statistics.wgsl',
              entryPoint: 'block_statistics',
              constants: statistics,
              parameters: [...parameters, 0, 0, f32(0)],
              operands: ['x', 'partials'],
              workgroups,
            };
          }),
          {
            shader: 'batch_norm_statistics.wgsl',
            entryPoint: 'combine',
            constants: statistics,
            parameters: [...combination.parameters, rows, blocks.rowsPerBlock, f32(epsilon)],
            operands: ['partials', 'mean', 'inverseDeviation', 'variance'],
            workgroups: combination.workgroups,
          },
          sliceable(visit.blocks, { x: visit.blockLength, residual: visit.blockLength, y: visit.blockLength }, (count, first) => ({
            shader: 'batch_norm.wgsl',
            entryPoint: residual ? 'with_residual' : 'main',
            constants: { Element, WORKGROUP_SIZE: style.workgroupSize, RELU: relu },
            operands: ['x', 'gamma', 'beta', 'mean', 'inverseDeviation', 'y', ...(residual ? ['residual'] : [])],
            ...visit.slice(count, first),
          })),
        ],
        // With the statistics kept, the last pass alone: a subtraction, a product, a sum and what follows, x read once.
        again: { y: { dispatches: [2], cost: { flop: rows * channels * (residual ? 5 : 4), bytes: 4 * rows * channels * (residual ? 3 : 2) } } },
      };
    }),
  reference: ({ rows, channels, epsilon, relu }, { x, gamma, beta, residual }) => {
    const y = blankExpected(rows * channels);
    const mean = blankExpected(channels);
    const inverseDeviation = blankExpected(channels);
    const variance = blankExpected(channels);
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      let least = Infinity;
      let most = -Infinity;
      for (let i = c; i < x.length; i += channels) {
        sum += x[i];
        least = Math.min(least, x[i]);
        most = Math.max(most, x[i]);
      }
      mean.value[c] = sum / rows;
      let squares = 0;
      for (let i = c; i < x.length; i += channels) squares += (x[i] - mean.value[c]) ** 2;
      const biased = squares / rows;
      inverseDeviation.value[c] = 1 / Math.sqrt(biased + epsilon);
      variance.value[c] = rows > 1 ? squares / (rows - 1) : 0;

      // Every term of a shifted sum is at most the range of the column; a mean is rounded once for its block, once at the
      // end. The divisions may err by 2.5 ulp each.
      const range = most - least;
      const averageError = (magnitude: number): number => (range === 0 ? 0 : sumError(rows, rows * magnitude) / rows + 10 * EPSILON * magnitude);
      mean.error[c] = 3 * EPSILON * (Math.abs(mean.value[c]) + range) + averageError(range);
      // (mean_b - K)^2 inherits the errors of two means, times twice their difference, which is at most the range.
      const biasedError = 2 * averageError(range ** 2) + 4 * range * mean.error[c];
      variance.error[c] = rows > 1 ? (biasedError * rows) / (rows - 1) + 10 * EPSILON * variance.value[c] : 0;
      // 2 ulp of inverseSqrt, the rounding of its argument, and that of epsilon to float32.
      inverseDeviation.error[c] =
        1 / Math.sqrt(Math.max(biased - biasedError, 0) + epsilon) - inverseDeviation.value[c] + 8 * EPSILON * inverseDeviation.value[c];

      for (let i = c; i < x.length; i += channels) {
        const difference = x[i] - mean.value[c];
        const normalised = gamma[c] * difference * inverseDeviation.value[c];
        const added = residual?.[i] ?? 0;
        const value = normalised + beta[c] + added;
        y.value[i] = relu ? Math.max(value, 0) : value;
        y.error[i] =
          Math.abs(gamma[c]) * (inverseDeviation.value[c] * mean.error[c] + (Math.abs(difference) + mean.error[c]) * inverseDeviation.error[c]) +
          6 * EPSILON * (Math.abs(normalised) + Math.abs(beta[c]) + Math.abs(added));
      }
    }
    return { y, mean, inverseDeviation, variance };
  },
  cost: ({ rows, channels, residual }) => ({
    flop: rows * channels * (residual ? 8 : 7),
    // x is read twice: the normalisation needs the statistics of the whole column.
    bytes: 4 * rows * channels * (residual ? 4 : 3),
  }),
  cases: [
    { rows: 1, channels: 1, epsilon: 1e-5, residual: false, relu: false },
    { rows: 2, channels: 5, epsilon: 1e-3, residual: true, relu: false },
    { rows: 7, channels: 300, epsilon: 1e-5, residual: true, relu: true },
    { rows: 37, channels: 20, epsilon: 1e-5, residual: false, relu: false },
    { rows: 1021, channels: 16, epsilon: 1e-5, residual: false, relu: true },
    { rows: 2500, channels: 67, epsilon: 1e-5, residual: false, relu: true },
    { rows: 20011, channels: 3, epsilon: 1e-5, residual: false, relu: false },
    { rows: 16 * 8 * 8, channels: 128, epsilon: 1e-5, residual: true, relu: true },
    { rows: 4 * 8, channels: 2048, epsilon: 1e-5, residual: true, relu: true },
  ],
};
