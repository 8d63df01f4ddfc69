import { test } from 'uvu';
import { globalAveragePool } from '../../../kernels/pooling/global-average-pool.ts';
import { globalAveragePoolGradient } from '../../../kernels/pooling/global-average-pool-gradient.ts';
import { assertGradient, weightedSum } from '../../support/finite-differences.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('global_average_pool_gradient: the reference agrees with finite differences of the forward reference', () => {
  const problem = { batch: 2, pixels: 5, channels: 3 };
  const uniform = uniformNumbers(2);
  const x = Float64Array.from({ length: 30 }, uniform);
  const dy = Float64Array.from({ length: 6 }, uniform);
  const loss = (moved: Float64Array): number =>
    weightedSum(dy, globalAveragePool.reference(problem, { x: moved }).y.value);
  assertGradient('dx', loss, x, globalAveragePoolGradient.reference(problem, { dy }).dx.value);
});

test.run();
