/**
 * The ops of the functions in kernels/elementwise/functions.ts. `npm run generate` makes those without parameters from
 * their rows; the others have their functions here. Inputs of several tensors are broadcast as
 * NumPy does, see `pointwise`; gradients at kinks are PyTorch's. Accuracies are in units of the result's magnitude
 * unless said otherwise, for float32; a result that is stored as f16 is within 2^-11 of itself.
 *
 * test/golden/pointwise.test.ts compares values and gradients with PyTorch's. They differ in three places: where x is NaN,
 * `abs`, `clamp`, `relu6` and `leakyRelu` pass the gradient on, as `relu` does in both libraries, because a gradient of 0
 * would hide the NaN; `silu` and `gelu` have their limits at the infinities; and `power` takes the base -0 for 0.
 */
import * as functions from '../../../kernels/elementwise/functions.ts';
import { checkNumber, checkOptions } from '../attributes.ts';
import { ShapeError, type Tensor } from '../tensor.ts';
import { pointwise } from './pointwise-function.ts';

export * from '../generated/pointwise.ts';

/** x times a finite number. Accuracy: rounded once, 2^-24. */
export function scale(x: Tensor, factor: number): Tensor {
  return pointwise(functions.scale, [x], { factor });
}

/**
 * x, but at least `low` and at most `high`; NaN stays NaN. Exact. The gradient is passed on where low <= x <= high or
 * x is NaN.
 * @throws ShapeError where a limit is not finite, or `low` is above `high`
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  for (const [name, limit] of Object.entries({ low, high })) checkNumber('clamp', name, limit);
  if (low > high) throw new ShapeError(`clamp: low is ${low}, above high, which is ${high}`);
  return pointwise(functions.clamp, [x], { low, high });
}

/**
 * x where it is positive, otherwise x times a finite slope, which is also the gradient at 0; where x is NaN, the gradient
 * is passed on. Accuracy: 2^-24.
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return pointwise(functions.leakyRelu, [x], { slope });
}

/**
 * x times the standard normal distribution at x, the Gaussian error linear unit (Hendrycks and Gimpel, arXiv
 * 1606.08415). At the infinities, value and gradient are the limits, as those of `silu`.
 * @param options.approximate 'none' takes the distribution itself, from a fit with a relative error below 4.3e-8
 * (accuracy: 20 + x^2 ulp); 'tanh' the approximation of the same paper, x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
 */
export function gelu(x: Tensor, options: { readonly approximate?: 'none' | 'tanh' } = {}): Tensor {
  checkOptions('gelu', options, ['approximate']);
  const { approximate = 'none' } = options;
  if (!['none', 'tanh'].includes(approximate))
    throw new ShapeError(`gelu: approximate is ${String(approximate)}; 'none' or 'tanh' was expected`);
  return pointwise(approximate === 'tanh' ? functions.geluTanh : functions.gelu, [x]);
}
