import { f32 } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import type { FoldBatchNormProblem } from './fold-batch-norm.ts';
import { EPSILON, exact, type Kernel } from '../kernel.ts';

const WORKGROUP_SIZE = 64;

/**
 * The gradient of `foldBatchNorm` for gamma and beta, the statistics being constants:
 * dgamma = (dscale - runningMean * dshift) / sqrt(runningVariance + epsilon), dbeta = dshift. All operands [channels].
 */
export const foldBatchNormGradient: Kernel<FoldBatchNormProblem> = {
  name: 'fold_batch_norm_gradient',
  calls: ({ channels, epsilon }) => {
    const vector = { type: 'f32', length: channels } as const;
    return [
      {
        variant: 'f32',
        operands: {
          dscale: { role: 'input', ...vector },
          dshift: { role: 'input', ...vector },
          runningMean: { role: 'input', ...vector },
          runningVariance: { role: 'input', ...vector },
          dgamma: { role: 'output', ...vector },
          dbeta: { role: 'output', ...vector },
        },
        dispatches: [
          {
            shader: shaders.foldBatchNormGradient,
            constants: { WORKGROUP_SIZE },
            parameters: [channels, f32(epsilon)],
            operands: ['dscale', 'dshift', 'runningMean', 'runningVariance', 'dgamma', 'dbeta'],
            workgroups: foldGrid(ceilDivide(channels, WORKGROUP_SIZE)),
          },
        ],
      },
    ];
  },
  reference: ({ channels, epsilon }, { dscale, dshift, runningMean, runningVariance }) => {
    const dgamma = blankExpected(channels);
    for (let c = 0; c < channels; c++) {
      const inverseDeviation = 1 / Math.sqrt(runningVariance[c] + epsilon);
      const product = runningMean[c] * dshift[c];
      dgamma.value[c] = (dscale[c] - product) * inverseDeviation;
      // The difference may cancel, so its roundings count by its terms; 2 ulp of inverseSqrt and three roundings on the
      // rest.
      const cancelled = inverseDeviation * (Math.abs(dscale[c]) + 2 * Math.abs(product));
      dgamma.error[c] = EPSILON * (cancelled + 8 * Math.abs(dgamma.value[c]));
    }
    return { dgamma, dbeta: exact(dshift.slice()) };
  },
  cost: ({ channels }) => ({ flop: 5 * channels, bytes: 24 * channels }),
  cases: [
    { channels: 1, epsilon: 1e-5 },
    { channels: 67, epsilon: 1e-3 },
    { channels: 2048, epsilon: 1e-5 },
  ],
  sampleInputs: ({ channels }, uniform) => {
    const numbers = (): Float64Array => Float64Array.from({ length: channels }, uniform);
    return { dscale: numbers(), dshift: numbers(), runningMean: numbers(), runningVariance: numbers().map(Math.abs) };
  },
};
