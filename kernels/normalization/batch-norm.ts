import { widestElement } from '../contract/element-types.ts';
import { expectedStatistics, partialsLength, statisticsDispatches } from './batch-norm-statistics.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, exact, type Kernel, type Operand } from '../kernel.ts';
import { normalize, normalizeDispatch } from './normalize.ts';
import { blockStyles } from '../reduction/row-blocks.ts';

export interface BatchNormProblem {
  /** N * H * W of an activation in NHWC. */
  readonly rows: number;
  readonly channels: number;
  readonly epsilon: number;
  /** Whether `residual` is added after the normalization. */
  readonly residual: boolean;
  readonly relu: boolean;
}

/**
 * Batch normalization in training: y = relu?(gamma * (x - mean) * inverseDeviation + beta (+ residual)) with the
 * statistics of each column of x (Ioffe and Szegedy 2015, algorithm 1). x, residual, y [rows, channels]; all others
 * [channels]. `inverseDeviation` comes from the biased variance and epsilon, as the gradient needs it; `variance` is
 * the unbiased one, as the running statistics keep it (0 for a single row).
 */
export const batchNorm: Kernel<BatchNormProblem> = {
  name: 'batch_norm',
  calls: ({ rows, channels, epsilon, residual, relu }, traits) =>
    blockStyles(traits).map((style) => {
      const matrix = { type: 'f32', length: rows * channels } as const;
      const vector = { type: 'f32', length: channels } as const;
      const residualInput: Record<string, Operand> = residual ? { residual: { role: 'input', ...matrix } } : {};
      return {
        variant: `${style.name}, ${widestElement(channels).Element}`,
        operands: {
          x: { role: 'input', ...matrix },
          gamma: { role: 'input', ...vector },
          beta: { role: 'input', ...vector },
          ...residualInput,
          y: { role: 'output', ...matrix },
          mean: { role: 'output', ...vector },
          inverseDeviation: { role: 'output', ...vector },
          variance: { role: 'output', ...vector },
          partials: { role: 'scratch', type: 'f32', length: partialsLength(style, rows, channels) },
        },
        dispatches: [
          ...statisticsDispatches(style, { rows, channels, epsilon }, 'x'),
          normalizeDispatch(style, { rows, channels, residual, relu }),
        ],
        // With the statistics kept, the last pass alone: a subtraction, a product, a sum and what follows, x read once.
        again: { y: { dispatches: [2], cost: normalize.cost({ rows, channels, residual, relu }) } },
      };
    }),
  reference: ({ rows, channels, epsilon, relu }, { x, gamma, beta, residual }) => {
    const y = blankExpected(rows * channels);
    const { mean, inverseDeviation, variance } = expectedStatistics(exact(x), { rows, channels, epsilon });
    for (let c = 0; c < channels; c++) {
      for (let i = c; i < x.length; i += channels) {
        const difference = x[i] - mean.value[c];
        const normalized = gamma[c] * difference * inverseDeviation.value[c];
        const added = residual?.[i] ?? 0;
        const value = normalized + beta[c] + added;
        y.value[i] = relu ? Math.max(value, 0) : value;
        y.error[i] =
          Math.abs(gamma[c]) *
            (inverseDeviation.value[c] * mean.error[c] +
              (Math.abs(difference) + mean.error[c]) * inverseDeviation.error[c]) +
          6 * EPSILON * (Math.abs(normalized) + Math.abs(beta[c]) + Math.abs(added));
      }
    }
    return { y, mean, inverseDeviation, variance };
  },
  cost: ({ rows, channels, residual }) => ({
    flop: rows * channels * (residual ? 8 : 7),
    // x is read twice: the normalization needs the statistics of the whole column.
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
