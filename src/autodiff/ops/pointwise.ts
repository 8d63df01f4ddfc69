/**
 * The public names of the functions in kernels/elementwise/functions.ts. Inputs of several tensors are broadcast as
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

/**
 * a + b, broadcast; f32 where one of them is. Accuracy: rounded once, 2^-24.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export function add(a: Tensor, b: Tensor): Tensor {
  return pointwise(functions.add, [a, b]);
}

/**
 * a - b, broadcast. Accuracy: rounded once, 2^-24.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export function subtract(a: Tensor, b: Tensor): Tensor {
  return pointwise(functions.subtract, [a, b]);
}

/**
 * a * b, broadcast. Accuracy: rounded once, 2^-24.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export function multiply(a: Tensor, b: Tensor): Tensor {
  return pointwise(functions.multiply, [a, b]);
}

/**
 * a / b, broadcast; infinite or NaN where b is 0. Accuracy: 2.5 ulp.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export function divide(a: Tensor, b: Tensor): Tensor {
  return pointwise(functions.divide, [a, b]);
}

/**
 * a to the power of b, broadcast; NaN where a is negative and b no integer. A base of -0 is taken for 0, because WGSL
 * lets devices ignore the sign of zero. The gradient for a is 0 where b is 0, and the one for b where a is 0 and b is not
 * negative. Accuracy: that of exp2(b * log2(|a|)), about 2^-20 (|b| + |b log2 a| + 1).
 * @throws ShapeError where the shapes cannot be broadcast
 */
export function power(a: Tensor, b: Tensor): Tensor {
  return pointwise(functions.power, [a, b]);
}

/**
 * The larger of a and b, broadcast; NaN where one is NaN. Exact. Each gets half of the gradient where they are equal.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export function maximum(a: Tensor, b: Tensor): Tensor {
  return pointwise(functions.maximum, [a, b]);
}

/**
 * The smaller of a and b, broadcast; NaN where one is NaN. Exact. Each gets half of the gradient where they are equal.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export function minimum(a: Tensor, b: Tensor): Tensor {
  return pointwise(functions.minimum, [a, b]);
}

/** x times a finite number. Accuracy: rounded once, 2^-24. */
export function scale(x: Tensor, factor: number): Tensor {
  return pointwise(functions.scale, [x], { factor });
}

/** |x|, exact. Its gradient at 0 is 0; where x is NaN, the gradient is passed on. */
export function abs(x: Tensor): Tensor {
  return pointwise(functions.absolute, [x]);
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

/** e to the power of x. Accuracy: 3 + 2 |x| ulp. */
export function exp(x: Tensor): Tensor {
  return pointwise(functions.exp, [x]);
}

/** The natural logarithm; NaN for negative x. Accuracy: 3 ulp, or 2^-21 absolute for x in [0.5, 2]. */
export function log(x: Tensor): Tensor {
  return pointwise(functions.log, [x]);
}

/** The square root; NaN for negative x. Its gradient at 0 is infinite. Accuracy: 4.5 ulp. */
export function sqrt(x: Tensor): Tensor {
  return pointwise(functions.sqrt, [x]);
}

/** max(x, 0), exact; NaN stays NaN. Its gradient at 0 is 0. */
export function relu(x: Tensor): Tensor {
  return pointwise(functions.relu, [x]);
}

/** min(max(x, 0), 6), exact; NaN stays NaN. Its gradient at 0 and at 6 is 0; where x is NaN, it is passed on. */
export function relu6(x: Tensor): Tensor {
  return pointwise(functions.relu6, [x]);
}

/**
 * x where it is positive, otherwise x times a finite slope, which is also the gradient at 0; where x is NaN, the gradient
 * is passed on. Accuracy: 2^-24.
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return pointwise(functions.leakyRelu, [x], { slope });
}

/** 1 / (1 + e^-x). Accuracy: 3 ulp for x >= 0, otherwise 6 + 2 |x| ulp; right to the ends of float32. */
export function sigmoid(x: Tensor): Tensor {
  return pointwise(functions.sigmoid, [x]);
}

/** The hyperbolic tangent. Accuracy: 8 ulp, also near 0. */
export function tanh(x: Tensor): Tensor {
  return pointwise(functions.tanh, [x]);
}

/**
 * log(1 + e^x), a smooth `relu`, as PyTorch's softplus with beta 1: above 20 it is x in float32. Computed as
 * max(x, 0) + log(1 + e^-|x|), which does not overflow. Accuracy: 10 ulp for x >= 0, otherwise 11 + 2 |x| ulp.
 */
export function softplus(x: Tensor): Tensor {
  return pointwise(functions.softplus, [x]);
}

/**
 * x sigmoid(x), called SiLU or swish. At the infinities, value and gradient are the limits (0 and 0 at -Infinity, Infinity and 1 at
 * Infinity); PyTorch's product of 0 and Infinity is NaN, which WGSL does not promise. Accuracy: that of `sigmoid`, 2^-24 more.
 */
export function silu(x: Tensor): Tensor {
  return pointwise(functions.silu, [x]);
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
