/**
 * The pointwise functions, one row each. Everything else comes from the row: kernels, their tests and benchmarks, the op
 * with broadcasting and gradient, and the exported function, whose documentation is the comment before the row
 * (scripts/collect-declarations.mjs). Functions with parameters or options are in src/autodiff/ops/pointwise.ts.
 *
 * Errors follow WGSL's accuracy of builtins (section "Accuracy of built-in functions"): a quotient 2.5 ulp, exp(x)
 * 3 + 2 |x| ulp, log 3 ulp or 2^-21 for x in [0.5, 2], the reciprocal square root 2 ulp, and pow(a, b) what
 * exp2(b * log2(a)) has. Sums, differences and products are rounded once. Comparisons let NaN through where max, min and
 * clamp of WGSL may swallow it; what computes with other builtins keeps it by not-a-number.wgsl.
 */
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON } from '../kernel.ts';
import type { PointwiseFunction } from './pointwise.ts';

/** A unit in the last place of a number is at most this share of it. */
const ULP = 2 * EPSILON;
/** Devices may take numbers below 2^-126 for 0, before they multiply them by others. */
const TINY = 1e-35;

const abs = Math.abs;
const exact = (): number => 0;
const rounded = (value: number): number => EPSILON * abs(value);
const quotient = (value: number): number => 2.5 * ULP * abs(value) + TINY;
/** The relative error of exp(x), where x itself is off by `error`. */
const exponential = (x: number, error = 0): number => (3 + 2 * abs(x)) * ULP + error;

/**
 * a + b, broadcast; f32 where one of them is. Accuracy: rounded once, 2^-24.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export const add: PointwiseFunction = {
  name: 'add',
  operands: ['a', 'b'],
  wgsl: 'a + b',
  value: (a, b) => a + b,
  error: rounded,
  derivatives: ['dy', 'dy'],
  halves: true,
};

export const scale: PointwiseFunction = {
  name: 'scale',
  operands: ['x'],
  parameters: { factor: -0.3 },
  wgsl: 'x * factor',
  value: (x, factor) => x * factor,
  error: rounded,
  get derivatives() {
    return [{ function: scale, of: ['dy'] }];
  },
};

/**
 * a - b, broadcast. Accuracy: rounded once, 2^-24.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export const subtract: PointwiseFunction = {
  name: 'subtract',
  operands: ['a', 'b'],
  wgsl: 'a - b',
  value: (a, b) => a - b,
  error: rounded,
  derivatives: ['dy', { function: scale, of: ['dy'], parameters: { factor: -1 } }],
};

/**
 * a * b, broadcast. Accuracy: rounded once, 2^-24.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export const multiply: PointwiseFunction = {
  name: 'multiply',
  operands: ['a', 'b'],
  wgsl: 'a * b',
  value: (a, b) => a * b,
  error: rounded,
  get derivatives() {
    return [
      { function: multiply, of: ['dy', 'b'] },
      { function: multiply, of: ['dy', 'a'] },
    ];
  },
};

const divideGradient: PointwiseFunction = {
  name: 'divideGradient',
  operands: ['dy', 'b', 'y'],
  wgsl: '-dy * (y / b)',
  value: (dy, b, y) => -dy * (y / b),
  error: (value) => quotient(value) + rounded(value),
  ranges: [[-4, 4], [0.5, 4], [-4, 4]], // prettier-ignore
  flop: 2,
};

/**
 * a / b, broadcast; infinite or NaN where b is 0. Accuracy: 2.5 ulp.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export const divide: PointwiseFunction = {
  name: 'divide',
  operands: ['a', 'b'],
  wgsl: 'a / b',
  value: (a, b) => a / b,
  error: quotient,
  get derivatives() {
    return [
      { function: divide, of: ['dy', 'b'] },
      { function: divideGradient, of: ['dy', 'b', 'y'] },
    ];
  },
  ranges: [[-4, 4], [0.5, 4]], // prettier-ignore
};

/** PyTorch shares the gradient of a tie. */
const greaterGradient: PointwiseFunction = {
  name: 'greaterGradient',
  operands: ['dy', 'a', 'b'],
  wgsl: 'select(select(dy, 0.5 * dy, a == b), Element(), a < b)',
  value: (dy, a, b) => (a === b ? dy / 2 : a < b ? 0 : dy),
  error: exact,
};

/**
 * The larger of a and b, broadcast; NaN where one is NaN. Exact. Each gets half of the gradient where they are equal.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export const maximum: PointwiseFunction = {
  name: 'maximum',
  operands: ['a', 'b'],
  wgsl: 'keepNan(keepNan(select(b, a, a > b), a), b)',
  libraries: [shaders.notANumber],
  value: Math.max,
  error: exact,
  derivatives: [
    { function: greaterGradient, of: ['dy', 'a', 'b'] },
    { function: greaterGradient, of: ['dy', 'b', 'a'] },
  ],
};

/**
 * The smaller of a and b, broadcast; NaN where one is NaN. Exact. Each gets half of the gradient where they are equal.
 * @throws ShapeError where the shapes cannot be broadcast
 */
export const minimum: PointwiseFunction = {
  name: 'minimum',
  operands: ['a', 'b'],
  wgsl: 'keepNan(keepNan(select(b, a, a < b), a), b)',
  libraries: [shaders.notANumber],
  value: Math.min,
  error: exact,
  derivatives: [
    { function: greaterGradient, of: ['dy', 'b', 'a'] },
    { function: greaterGradient, of: ['dy', 'a', 'b'] },
  ],
};

/** The relative error of pow(a, b), where b itself is off by `error`. */
const powerError = (a: number, b: number, error = 0): number => {
  const logarithm = Math.log2(abs(a));
  const logarithmError = abs(a) >= 0.5 && abs(a) <= 2 ? 2 ** -21 : 3 * ULP * abs(logarithm);
  const exponent = abs(b) * logarithmError + (abs(b) * EPSILON + error) * abs(logarithm);
  return a === 0 ? 0 : exponential(b * logarithm, Math.LN2 * exponent);
};

const powerBaseGradient: PointwiseFunction = {
  name: 'powerBaseGradient',
  operands: ['dy', 'a', 'b'],
  wgsl: 'select(dy * (b * power(a, b - 1.0)), Element(), b == Element())',
  libraries: [shaders.notANumber, shaders.power],
  value: (dy, a, b) => (b === 0 ? 0 : dy * (b * a ** (b - 1))),
  error: (value, _, a, b) => abs(value) * (powerError(a, b - 1, EPSILON * abs(b - 1)) + 2 * EPSILON) + TINY,
  ranges: [[-4, 4], [0.1, 4], [-3, 3]], // prettier-ignore
  flop: 5,
};

const powerExponentGradient: PointwiseFunction = {
  name: 'powerExponentGradient',
  operands: ['dy', 'a', 'b'],
  wgsl: 'select(dy * (power(a, b) * logarithm(a)), Element(), (a == Element()) & (b >= Element()))',
  libraries: [shaders.notANumber, shaders.power],
  value: (dy, a, b) => (a === 0 && b >= 0 ? 0 : dy * (a ** b * Math.log(a))),
  error: (value, dy, a, b) =>
    abs(value) * (powerError(a, b) + 3 * ULP + 2 * EPSILON) +
    abs(dy * a ** b) * (a >= 0.5 && a <= 2 ? 2 ** -21 : 0) +
    TINY,
  ranges: [[-4, 4], [0.1, 4], [-3, 3]], // prettier-ignore
  flop: 5,
};

/**
 * a to the power of b, broadcast; NaN where a is negative and b no integer. A base of -0 is taken for 0, because WGSL
 * lets devices ignore the sign of zero. The gradient for a is 0 where b is 0, and the one for b where a is 0 and b is not
 * negative. Accuracy: that of exp2(b * log2(|a|)), about 2^-20 (|b| + |b log2 a| + 1).
 * @throws ShapeError where the shapes cannot be broadcast
 */
export const power: PointwiseFunction = {
  name: 'power',
  operands: ['a', 'b'],
  wgsl: 'power(a, b)',
  libraries: [shaders.notANumber, shaders.power],
  value: (a, b) => a ** b,
  error: (value, a, b) => abs(value) * powerError(a, b) + TINY,
  derivatives: [
    { function: powerBaseGradient, of: ['dy', 'a', 'b'] },
    { function: powerExponentGradient, of: ['dy', 'a', 'b'] },
  ],
  ranges: [[0.1, 4], [-3, 3]], // prettier-ignore
  flop: 3,
};

/** `broadcastTo`: the same numbers under a larger shape. @internal */
export const broadcast: PointwiseFunction = {
  name: 'broadcast',
  operands: ['x'],
  wgsl: 'x',
  value: (x) => x,
  error: exact,
  derivatives: ['dy'],
};

const absoluteGradient: PointwiseFunction = {
  name: 'absGradient',
  operands: ['dy', 'x'],
  wgsl: 'select(select(dy, -dy, x < Element()), Element(), x == Element())',
  value: (dy, x) => (x === 0 ? 0 : x < 0 ? -dy : dy),
  error: exact,
};

/** |x|, exact. Its gradient at 0 is 0; where x is NaN, the gradient is passed on. */
export const absolute: PointwiseFunction = {
  name: 'abs',
  operands: ['x'],
  wgsl: 'abs(x)',
  value: abs,
  error: exact,
  derivatives: [{ function: absoluteGradient, of: ['dy', 'x'] }],
};

const reluGradient: PointwiseFunction = {
  name: 'reluGradient',
  operands: ['y', 'dy'],
  // Not y > 0: where y is NaN, the gradient must not become an innocent zero.
  wgsl: 'select(dy, Element(), y <= Element())',
  value: (y, dy) => (y <= 0 ? 0 : dy),
  error: exact,
  halves: true,
};

/** max(x, 0), exact; NaN stays NaN. Its gradient at 0 is 0. */
export const relu: PointwiseFunction = {
  name: 'relu',
  operands: ['x'],
  wgsl: 'select(x, Element(), x < Element())',
  value: (x) => Math.max(x, 0),
  error: exact,
  derivatives: [{ function: reluGradient, of: ['y', 'dy'] }],
  halves: true,
};

const relu6Gradient: PointwiseFunction = {
  name: 'relu6Gradient',
  operands: ['y', 'dy'],
  wgsl: 'select(dy, Element(), (y <= Element()) | (y >= Element(6.0)))',
  value: (y, dy) => (y <= 0 || y >= 6 ? 0 : dy),
  error: exact,
  halves: true,
  ranges: [[-2, 8], [-4, 4]], // prettier-ignore
};

/** min(max(x, 0), 6), exact; NaN stays NaN. Its gradient at 0 and at 6 is 0; where x is NaN, it is passed on. */
export const relu6: PointwiseFunction = {
  name: 'relu6',
  operands: ['x'],
  wgsl: 'select(select(x, Element(), x < Element()), Element(6.0), x > Element(6.0))',
  value: (x) => Math.min(Math.max(x, 0), 6),
  error: exact,
  derivatives: [{ function: relu6Gradient, of: ['y', 'dy'] }],
  halves: true,
  ranges: [[-4, 10]], // prettier-ignore
};

const leakyReluGradient: PointwiseFunction = {
  name: 'leakyReluGradient',
  operands: ['dy', 'x'],
  parameters: { slope: 0.01 },
  wgsl: 'select(dy, dy * slope, x <= Element())',
  value: (dy, x, slope) => (x <= 0 ? dy * slope : dy),
  error: rounded,
  halves: true,
};

export const leakyRelu: PointwiseFunction = {
  name: 'leakyRelu',
  operands: ['x'],
  parameters: { slope: 0.01 },
  wgsl: 'select(x, x * slope, x <= Element())',
  value: (x, slope) => (x <= 0 ? x * slope : x),
  error: rounded,
  derivatives: [{ function: leakyReluGradient, of: ['dy', 'x'] }],
  halves: true,
};

const clampGradient: PointwiseFunction = {
  name: 'clampGradient',
  operands: ['dy', 'x'],
  parameters: { low: -1.5, high: 2 },
  wgsl: 'select(dy, Element(), (x < low) | (x > high))',
  value: (dy, x, low, high) => (x < low || x > high ? 0 : dy),
  error: exact,
};

export const clamp: PointwiseFunction = {
  name: 'clamp',
  operands: ['x'],
  parameters: { low: -1.5, high: 2 },
  wgsl: 'select(select(x, low, x < low), high, x > high)',
  value: (x, low, high) => Math.min(Math.max(x, low), high),
  error: exact,
  derivatives: [{ function: clampGradient, of: ['dy', 'x'] }],
};

/** e to the power of x. Accuracy: 3 + 2 |x| ulp. */
export const exp: PointwiseFunction = {
  name: 'exp',
  operands: ['x'],
  wgsl: 'keepNan(exp(x), x)',
  libraries: [shaders.notANumber],
  value: Math.exp,
  error: (value, x) => abs(value) * exponential(x) + TINY,
  derivatives: [{ function: multiply, of: ['dy', 'y'] }],
};

/** The natural logarithm; NaN for negative x. Accuracy: 3 ulp, or 2^-21 absolute for x in [0.5, 2]. */
export const log: PointwiseFunction = {
  name: 'log',
  operands: ['x'],
  wgsl: 'logarithm(x)',
  libraries: [shaders.notANumber],
  value: Math.log,
  error: (value, x) => (x >= 0.5 && x <= 2 ? 2 ** -21 : 3 * ULP * abs(value)),
  derivatives: [{ function: divide, of: ['dy', 'x'] }],
  ranges: [[0.05, 8]],
};

const sqrtGradient: PointwiseFunction = {
  name: 'sqrtGradient',
  operands: ['dy', 'y'],
  wgsl: '0.5 * dy / y',
  value: (dy, y) => (0.5 * dy) / y,
  error: quotient,
  ranges: [[-4, 4], [0.25, 4]], // prettier-ignore
  flop: 2,
};

/** The square root; NaN for negative x. Its gradient at 0 is infinite. Accuracy: 4.5 ulp. */
export const sqrt: PointwiseFunction = {
  name: 'sqrt',
  operands: ['x'],
  wgsl: 'sqrt(x)',
  value: Math.sqrt,
  // The quotient of 1 and the reciprocal square root.
  error: (value) => 4.5 * ULP * abs(value),
  derivatives: [{ function: sqrtGradient, of: ['dy', 'y'] }],
  ranges: [[0.05, 8]],
};

const logisticValue = (x: number): number => 1 / (1 + Math.exp(-x));
/** The derivative of the logistic function, without cancellation. */
const logisticSlope = (x: number): number => Math.exp(-abs(x)) / (1 + Math.exp(-abs(x))) ** 2;
/** The error of `logistic` in logistic.wgsl, where x itself is off by `error`: exp, a sum, a quotient. */
const logisticError = (x: number, error = 0): number =>
  logisticSlope(x) * exponential(x, error) + 6 * EPSILON * logisticValue(x) + TINY;
/** The error of `logisticSlope` in logistic.wgsl. */
const logisticSlopeError = (x: number, error = 0): number =>
  logisticSlope(x) * (exponential(x, error) + 10 * EPSILON) + TINY;

const sigmoidGradient: PointwiseFunction = {
  name: 'sigmoidGradient',
  operands: ['dy', 'y'],
  wgsl: 'dy * (y * (1.0 - y))',
  value: (dy, y) => dy * (y * (1 - y)),
  error: (value) => 3 * EPSILON * abs(value) + TINY,
  halves: true,
  ranges: [[-4, 4], [0, 1]], // prettier-ignore
  flop: 3,
};

/** 1 / (1 + e^-x). Accuracy: 3 ulp for x >= 0, otherwise 6 + 2 |x| ulp; right to the ends of float32. */
export const sigmoid: PointwiseFunction = {
  name: 'sigmoid',
  operands: ['x'],
  wgsl: 'logistic(x)',
  libraries: [shaders.notANumber, shaders.logistic],
  value: logisticValue,
  error: (_, x) => logisticError(x),
  derivatives: [{ function: sigmoidGradient, of: ['dy', 'y'] }],
  halves: true,
  ranges: [[-12, 12]],
  flop: 4,
};

const tanhGradient: PointwiseFunction = {
  name: 'tanhGradient',
  operands: ['dy', 'y'],
  wgsl: 'dy * (1.0 - y * y)',
  value: (dy, y) => dy * (1 - y * y),
  error: (value, dy, y) => EPSILON * (2 * abs(value) + abs(dy) * y * y) + TINY,
  halves: true,
  ranges: [[-4, 4], [-1, 1]], // prettier-ignore
  flop: 3,
};

/** The hyperbolic tangent. Accuracy: 8 ulp, also near 0. */
export const tanh: PointwiseFunction = {
  name: 'tanh',
  operands: ['x'],
  wgsl: 'hyperbolicTangent(x)',
  libraries: [shaders.hyperbolicTangent],
  value: Math.tanh,
  // Near 0 a polynomial, farther away exp, a difference, a sum and a quotient; |dy / d exp| = 2 / (1 + exp)^2.
  error: (value, x) =>
    abs(value) * 8 * EPSILON + (abs(x) < 0.49 ? 0 : 2 * logisticSlope(2 * x) * exponential(2 * x)) + TINY,
  derivatives: [{ function: tanhGradient, of: ['dy', 'y'] }],
  halves: true,
  ranges: [[-6, 6]],
  flop: 12,
};

const softplusGradient: PointwiseFunction = {
  name: 'softplusGradient',
  operands: ['dy', 'x'],
  wgsl: 'dy * logistic(x)',
  libraries: [shaders.notANumber, shaders.logistic],
  value: (dy, x) => dy * logisticValue(x),
  error: (value, dy, x) => abs(dy) * logisticError(x) + EPSILON * abs(value) + TINY,
  halves: true,
  ranges: [[-4, 4], [-12, 12]], // prettier-ignore
  flop: 5,
};

/**
 * log(1 + e^x), a smooth `relu`, as PyTorch's softplus with beta 1: above 20 it is x in float32. Computed as
 * max(x, 0) + log(1 + e^-|x|), which does not overflow. Accuracy: 10 ulp for x >= 0, otherwise 11 + 2 |x| ulp.
 */
export const softplus: PointwiseFunction = {
  name: 'softplus',
  operands: ['x'],
  wgsl: 'keepNan(select(Element(), x, x > Element()) + log1p(exp(-abs(x))), x)',
  libraries: [shaders.notANumber, shaders.log1p],
  value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-abs(x))),
  // exp, whose error the slope of log1p passes on; log1p: a quotient of 2.5 ulp, its series and what that leaves out; a sum.
  error: (value, x) =>
    logisticValue(-abs(x)) * exponential(x) + 14 * EPSILON * Math.log1p(Math.exp(-abs(x))) + rounded(value) + TINY,
  derivatives: [{ function: softplusGradient, of: ['dy', 'x'] }],
  halves: true,
  ranges: [[-12, 12]],
  flop: 20,
};

// In float32, exp(-104) is 0.
const siluGradient: PointwiseFunction = {
  name: 'siluGradient',
  operands: ['dy', 'x'],
  wgsl: 'dy * (logistic(x) + select(x * logisticSlope(x), Element(), abs(x) > Element(104.0)))',
  libraries: [shaders.notANumber, shaders.logistic],
  value: (dy, x) => dy * (logisticValue(x) + (abs(x) > 800 ? 0 : x * logisticSlope(x))),
  error: (value, dy, x) =>
    abs(dy) * (logisticError(x) + (abs(x) > 104 ? 0 : abs(x) * (logisticSlopeError(x) + EPSILON * logisticSlope(x)))) +
    2 * EPSILON * abs(value),
  halves: true,
  ranges: [[-4, 4], [-12, 12]], // prettier-ignore
  flop: 12,
};

/**
 * x sigmoid(x), called SiLU or swish. At the infinities, value and gradient are the limits (0 and 0 at -Infinity, Infinity and 1 at
 * Infinity); PyTorch's product of 0 and Infinity is NaN, which WGSL does not promise. Accuracy: that of `sigmoid`, 2^-24 more.
 */
export const silu: PointwiseFunction = {
  name: 'silu',
  operands: ['x'],
  wgsl: 'select(x * logistic(x), Element(), x < Element(-104.0))',
  libraries: [shaders.notANumber, shaders.logistic],
  value: (x) => (x < -800 ? 0 : x * logisticValue(x)),
  error: (value, x) => (x === -Infinity ? 0 : abs(x) * logisticError(x) + EPSILON * abs(value)),
  derivatives: [{ function: siluGradient, of: ['dy', 'x'] }],
  halves: true,
  ranges: [[-12, 12]],
  flop: 5,
};

const hardSwishGradient: PointwiseFunction = {
  name: 'hardSwishGradient',
  operands: ['dy', 'x'],
  wgsl: 'select(select(dy * (x / 3.0 + 0.5), dy, x > Element(3.0)), Element(), x < Element(-3.0))',
  value: (dy, x) => (x < -3 ? 0 : x > 3 ? dy : dy * (x / 3 + 0.5)),
  error: (value, dy, x) => (abs(x) > 3 ? 0 : abs(dy) * quotient(x / 3) + 2 * rounded(value) + TINY),
  halves: true,
  ranges: [[-4, 4], [-5, 5]], // prettier-ignore
  flop: 3,
};

/**
 * x relu6(x + 3) / 6, a `silu` without exponentials (Howard et al., "Searching for MobileNetV3", ICCV 2019): 0 up to -3,
 * x from 3 on, also at the infinities. The gradient at the kinks, -1/2 at -3 and 3/2 at 3, is that of the parabola between
 * them; PyTorch's at 3 is 3/2 or 1, depending on the element's place. Accuracy: 4 2^-24 between the kinks, otherwise exact.
 */
export const hardSwish: PointwiseFunction = {
  name: 'hardSwish',
  operands: ['x'],
  wgsl: 'select(select(x * ((x + 3.0) * 0.16666667), x, x > Element(3.0)), Element(), x < Element(-3.0))',
  value: (x) => (x < -3 ? 0 : x > 3 ? x : (x * (x + 3)) / 6),
  error: (value, x) => (abs(x) > 3 ? 0 : 4 * rounded(value) + TINY),
  derivatives: [{ function: hardSwishGradient, of: ['dy', 'x'] }],
  halves: true,
  ranges: [[-5, 5]],
  flop: 3,
};

/** The standard normal distribution, and its density. */
function normalDistribution(x: number): number {
  const z = abs(x);
  let tail: number;
  if (z < 3) {
    // 1/2 - density * (z + z^3 / 3 + z^5 / (3 * 5) + ...)
    let term = z;
    let sum = z;
    for (let k = 3; k < 120; k += 2) sum += term *= (z * z) / k;
    tail = 0.5 - normalDensity(z) * sum;
  } else {
    // density / (z + 1 / (z + 2 / (z + 3 / ...)))
    let fraction = z;
    for (let k = 200; k > 0; k--) fraction = z + k / fraction;
    tail = normalDensity(z) / fraction;
  }
  return x < 0 ? tail : 1 - tail;
}
const normalDensity = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
/** The relative error of exp(-x^2 / 2): the square is rounded. */
const gaussianError = (x: number): number => exponential(0.5 * x * x, 0.5 * EPSILON * x * x);
/** The error of `normalDistribution` in normal-distribution.wgsl: the fit, its polynomial and quotient, exp, and a difference. */
const normalError = (x: number): number =>
  normalDistribution(-abs(x)) * (gaussianError(x) + 4.3e-8 + 32 * EPSILON) + (x < 0 ? 0 : EPSILON) + TINY;

const geluGradient: PointwiseFunction = {
  name: 'geluGradient',
  operands: ['dy', 'x'],
  wgsl: 'dy * (normalDistribution(x) + select(0.3989422804 * x * exp(-0.5 * x * x), Element(), abs(x) > Element(14.5)))',
  libraries: [shaders.normalDistribution],
  value: (dy, x) => dy * (normalDistribution(x) + (abs(x) > 40 ? 0 : x * normalDensity(x))),
  error: (value, dy, x) =>
    abs(dy) * (normalError(x) + (abs(x) > 40 ? 0 : abs(x) * normalDensity(x) * (gaussianError(x) + 4 * EPSILON))) +
    2 * EPSILON * abs(value) +
    TINY,
  halves: true,
  ranges: [[-4, 4], [-6, 6]], // prettier-ignore
  flop: 34,
};

/** `gelu` of src/autodiff/ops/pointwise.ts. @internal */
export const gelu: PointwiseFunction = {
  name: 'gelu',
  operands: ['x'],
  wgsl: 'select(x * normalDistribution(x), Element(), x < Element(-14.5))',
  libraries: [shaders.normalDistribution],
  value: (x) => (x < -40 ? 0 : x * normalDistribution(x)),
  error: (value, x) => abs(x) * normalError(x) + EPSILON * abs(value),
  derivatives: [{ function: geluGradient, of: ['dy', 'x'] }],
  halves: true,
  ranges: [[-6, 6]],
  flop: 27,
};

/**
 * GELU by tanh, x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), is x logistic(2 u): here 2 u, its
 * derivative, and its rounding error.
 */
const twiceU = (x: number): number => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const twiceUSlope = (x: number): number => 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
const twiceUError = (x: number): number => 5 * EPSILON * abs(twiceU(x));

const geluTanhGradient: PointwiseFunction = {
  name: 'geluTanhGradient',
  operands: ['dy', 'x'],
  wgsl:
    'dy * (logistic(x * (1.5957691216 + 0.0713548163 * x * x))' +
    ' + select(x * logisticSlope(x * (1.5957691216 + 0.0713548163 * x * x)) * (1.5957691216 + 0.2140644488 * x * x), Element(), abs(x) > Element(14.0)))',
  libraries: [shaders.notANumber, shaders.logistic],
  value: (dy, x) => dy * (logisticValue(twiceU(x)) + (abs(x) > 40 ? 0 : x * logisticSlope(twiceU(x)) * twiceUSlope(x))),
  error: (value, dy, x) => {
    const [u, error] = [twiceU(x), twiceUError(x)];
    const slope = abs(x) > 40 ? 0 : abs(x) * twiceUSlope(x);
    return (
      abs(dy) * (logisticError(u, error) + slope * (logisticSlopeError(u, error) + 6 * EPSILON * logisticSlope(u))) +
      2 * EPSILON * abs(value)
    );
  },
  halves: true,
  ranges: [[-4, 4], [-6, 6]], // prettier-ignore
  flop: 24,
};

/** `gelu` with the approximation by tanh. @internal */
export const geluTanh: PointwiseFunction = {
  name: 'geluTanh',
  operands: ['x'],
  wgsl: 'select(x * logistic(x * (1.5957691216 + 0.0713548163 * x * x)), Element(), x < Element(-14.0))',
  libraries: [shaders.notANumber, shaders.logistic],
  value: (x) => (x < -40 ? 0 : x * logisticValue(twiceU(x))),
  error: (value, x) => abs(x) * logisticError(twiceU(x), twiceUError(x)) + EPSILON * abs(value),
  derivatives: [{ function: geluTanhGradient, of: ['dy', 'x'] }],
  halves: true,
  ranges: [[-6, 6]],
  flop: 9,
};
