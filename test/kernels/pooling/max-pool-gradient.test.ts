import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { maxPool } from '../../../kernels/pooling/max-pool.ts';
import { maxPoolGradient } from '../../../kernels/pooling/max-pool-gradient.ts';
import { assertGradient, weightedSum } from '../../support/finite-differences.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('max_pool_gradient: the reference agrees with finite differences of the forward reference', () => {
  const problem = { batch: 2, height: 6, width: 5, channels: 3, window: 3, stride: 2, padding: 1 };
  const uniform = uniformNumbers(4);
  const x = Float64Array.from({ length: 180 }, uniform);
  const { y, position } = maxPool.reference(problem, { x });
  const dy = y.value.map(uniform);
  const gradient = maxPoolGradient.reference(problem, { dy, position: position.value }).dx.value;
  assert.ok(gradient.some((value) => value === 0) && gradient.some((value) => value !== 0));
  assertGradient('dx', (moved) => weightedSum(dy, maxPool.reference(problem, { x: moved }).y.value), x, gradient);
});

test.run();
