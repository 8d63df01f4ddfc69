import { test } from 'uvu';
import { l2Normalize } from '../../../kernels/normalization/l2-normalize.ts';
import { l2NormalizeGradient } from '../../../kernels/normalization/l2-normalize-gradient.ts';
import { assertGradient, weightedSum } from '../../support/finite-differences.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('l2_normalize_gradient: the reference agrees with finite differences of the forward reference', () => {
  const problem = { rows: 2, width: 7 };
  const uniform = uniformNumbers(2);
  const x = Float64Array.from({ length: 14 }, uniform);
  const dy = Float64Array.from({ length: 14 }, uniform);
  const { f, norm } = l2Normalize.reference(problem, { x });
  const gradient = l2NormalizeGradient.reference(problem, { f: f.value, norm: norm.value, dy }).dx.value;
  assertGradient('dx', (moved) => weightedSum(dy, l2Normalize.reference(problem, { x: moved }).f.value), x, gradient);
});

test.run();
