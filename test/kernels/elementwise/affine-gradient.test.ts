import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { affine } from '../../../kernels/elementwise/affine.ts';
import { affineGradient } from '../../../kernels/elementwise/affine-gradient.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';
import { assertGradient, weightedSum } from '../../support/finite-differences.ts';

test('affine_gradient: the reference agrees with finite differences of the forward reference', () => {
  const problem = { rows: 11, channels: 3, residual: true, relu: true };
  const uniform = uniformNumbers(3);
  const numbers = (length: number): Float64Array => Float64Array.from({ length }, uniform);
  const inputs = { x: numbers(33), scale: numbers(3), shift: numbers(3), residual: numbers(33) };
  const dy = numbers(33);
  const y = affine.reference(problem, inputs).y.value;
  assert.ok(y.some((value) => value === 0) && y.some((value) => value > 0), 'the ReLU must cut some');
  const gradients = affineGradient.reference({ ...problem, parameterGradients: true }, { ...inputs, y, dy });
  for (const name of ['x', 'scale', 'shift', 'residual'] as const) {
    const loss = (moved: Float64Array): number =>
      weightedSum(dy, affine.reference(problem, { ...inputs, [name]: moved }).y.value);
    assertGradient(`d${name}`, loss, inputs[name], gradients[`d${name}`].value);
  }
});

test.run();
