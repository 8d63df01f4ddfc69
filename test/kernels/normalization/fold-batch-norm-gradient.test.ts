import { test } from 'uvu';
import { foldBatchNorm } from '../../../kernels/normalization/fold-batch-norm.ts';
import { foldBatchNormGradient } from '../../../kernels/normalization/fold-batch-norm-gradient.ts';
import { assertGradient, weightedSum } from '../../support/finite-differences.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('fold_batch_norm_gradient: the reference agrees with finite differences of the forward reference', () => {
  const problem = { channels: 5, epsilon: 1e-3 };
  const uniform = uniformNumbers(2);
  const numbers = (): Float64Array => Float64Array.from({ length: 5 }, uniform);
  const inputs = {
    gamma: numbers(),
    beta: numbers(),
    runningMean: numbers(),
    runningVariance: numbers().map(Math.abs),
  };
  const outputGradients = { dscale: numbers(), dshift: numbers() };
  const gradients = foldBatchNormGradient.reference(problem, { ...inputs, ...outputGradients });
  for (const name of ['gamma', 'beta'] as const) {
    const loss = (moved: Float64Array): number => {
      const { scale, shift } = foldBatchNorm.reference(problem, { ...inputs, [name]: moved });
      return weightedSum(outputGradients.dscale, scale.value) + weightedSum(outputGradients.dshift, shift.value);
    };
    assertGradient(`d${name}`, loss, inputs[name], gradients[`d${name}`].value);
  }
});

test.run();
