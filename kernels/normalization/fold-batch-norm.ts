import { f32 } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, type Kernel } from '../kernel.ts';

export interface FoldBatchNormProblem {
  readonly channels: number;
  readonly epsilon: number;
}

const WORKGROUP_SIZE = 64;

/**
 * Batch normalization with fixed statistics as `affine` takes it: scale = gamma / sqrt(runningVariance + epsilon),
 * shift = beta - runningMean * scale. All operands [channels].
 */
export const foldBatchNorm: Kernel<FoldBatchNormProblem> = {
  name: 'fold_batch_norm',
  calls: ({ channels, epsilon }) => {
    const vector = { type: 'f32', length: channels } as const;
    return [
      {
        variant: 'f32',
        operands: {
          gamma: { role: 'input', ...vector },
          beta: { role: 'input', ...vector },
          runningMean: { role: 'input', ...vector },
          runningVariance: { role: 'input', ...vector },
          scale: { role: 'output', ...vector },
          shift: { role: 'output', ...vector },
        },
        dispatches: [
          {
            shader: shaders.foldBatchNorm,
            constants: { WORKGROUP_SIZE },
            parameters: [channels, f32(epsilon)],
            operands: ['gamma', 'beta', 'runningMean', 'runningVariance', 'scale', 'shift'],
            workgroups: foldGrid(ceilDivide(channels, WORKGROUP_SIZE)),
          },
        ],
      },
    ];
  },
  reference: ({ channels, epsilon }, { gamma, beta, runningMean, runningVariance }) => {
    const scale = blankExpected(channels);
    const shift = blankExpected(channels);
    for (let c = 0; c < channels; c++) {
      scale.value[c] = gamma[c] / Math.sqrt(runningVariance[c] + epsilon);
      // 2 ulp of inverseSqrt, its argument and epsilon rounded, and the product.
      scale.error[c] = 8 * EPSILON * Math.abs(scale.value[c]);
      const product = runningMean[c] * scale.value[c];
      shift.value[c] = beta[c] - product;
      shift.error[c] =
        Math.abs(runningMean[c]) * scale.error[c] + EPSILON * (2 * Math.abs(product) + Math.abs(beta[c]));
    }
    return { scale, shift };
  },
  cost: ({ channels }) => ({ flop: 5 * channels, bytes: 24 * channels }),
  cases: [
    { channels: 1, epsilon: 1e-5 },
    { channels: 67, epsilon: 1e-3 },
    { channels: 2048, epsilon: 1e-5 },
  ],
  sampleInputs: ({ channels }, uniform) => {
    const numbers = (): Float64Array => Float64Array.from({ length: channels }, uniform);
    return { gamma: numbers(), beta: numbers(), runningMean: numbers(), runningVariance: numbers().map(Math.abs) };
  },
};
