import { EPSILON } from '../../kernels/kernel.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { add, multiply, scale } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, elementCount, input, type Shape, type Tensor } from '../../src/autodiff/tensor.ts';
import type { Device } from '../../src/gpu/device.ts';
import { uniformNumbers } from './kernel-test.ts';

/** A point at which an op is differentiated. */
export interface GradientCase {
  /**
   * The inputs whose gradients are checked, at values that float32 holds with 10 binary places: sums with a step are
   * exact.
   */
  readonly inputs: Readonly<Record<string, { readonly shape: Shape; readonly values: Float32Array }>>;
  /** Applies the op to tensors of those shapes; its values are 1.3 times the inputs'. */
  readonly apply: (inputs: Readonly<Record<string, Tensor>>) => readonly Tensor[];
  /** The longest sum behind one output element, such as inputs times kernel area; 1 if left out. */
  readonly reduction?: number;
  /** The relative error of one rounding in the op, where it stores more coarsely than float32. */
  readonly epsilon?: number;
  /** How far inputs move, a power of two; 2^-6 if left out. Smaller where a kink (ReLU, maximum, mining) is near. */
  readonly step?: number;
}

/** A gradient that finite differences contradict, or a point at which they could not tell. */
export class GradientCheckError extends Error {
  override readonly name = 'GradientCheckError';
}

const BEFORE = 1.3;
const LOSS_COEFFICIENT = 0.7;
const RANDOM_DIRECTIONS = 3;
/** A tolerance above this share of the gradient's own size would let wrong gradients pass. */
const BLUNT = 0.02;

/**
 * Compares gradients with finite differences, the op standing in the middle of a graph: its inputs come out of another
 * op and have a second consumer, its outputs have two, and the loss carries a coefficient. A rule that ignores the
 * gradient that arrives, or forgets a path, cannot pass.
 *
 *     loss = 0.7 * (sum_j sum(y_j * w_j + y_j * y_j) + sum_i sum(x_i * v_i)),  y = op(x),  x_i = 1.3 * input_i
 *
 * Directional derivatives by central differences D(h) and D(2h) along random signs and along the gradient, extrapolated
 * to (4 D(h) - D(2h)) / 3. The tolerance is the rounding of the losses over the step, plus the measured truncation
 * |D(h) - D(2h)| / 3.
 * @returns the largest deviation in units of its tolerance, below 1
 * @throws GradientCheckError where a deviation is larger, or the tolerance too wide to mean anything
 */
export async function checkGradient(
  device: Device,
  { inputs, apply, reduction = 1, epsilon = EPSILON, step = 2 ** -6 }: GradientCase,
): Promise<number> {
  const uniform = uniformNumbers(7);
  const names = Object.keys(inputs);
  const given = names.map((name) => input(name, inputs[name].shape));
  const before = given.map((tensor) => scale(tensor, BEFORE));
  const outputs = apply(Object.fromEntries(names.map((name, index) => [name, before[index]])));
  const weighted = (tensor: Tensor): Tensor =>
    multiply(tensor, constant('weights', tensor.shape, Float32Array.from({ length: tensor.length }, uniform)));
  const terms = [...outputs.flatMap((y) => [weighted(y), multiply(y, y)]), ...before.map(weighted)];
  const loss = scale(terms.map(sum).reduce(add), LOSS_COEFFICIENT);
  const gradients = gradient(loss, given);

  const named = (prefix: string, tensors: readonly Tensor[]): Record<string, Tensor> =>
    Object.fromEntries(tensors.map((tensor, index) => [`${prefix}${index}`, tensor]));
  const program: Program = await Program.compile<string>(new DeviceStorage(device), {
    outputs: { loss, ...named('gradient', gradients), ...named('term', terms) },
  });
  try {
    const point = Object.fromEntries(names.map((name) => [name, inputs[name].values]));
    const at = await program.run(point);
    // Four standard deviations of the roundings in all terms, each behind a sum of `reduction` products and a few
    // roundings of its own, and the rounding of the partial sums on the way to one loss.
    const values = terms.map((_, index) => at[`term${index}`]);
    const sums = values.reduce((total, term) => total + Math.abs(term.reduce((part, value) => part + value, 0)), 0);
    const rounding =
      epsilon *
      LOSS_COEFFICIENT *
      (4 * Math.sqrt(reduction + 4) * Math.hypot(...values.flatMap((term) => [...term])) + 4 * sums);
    let worst = 0;
    for (const [index, name] of names.entries()) {
      const found = at[`gradient${index}`];
      const size = Math.hypot(...found);
      for (const [number, direction] of directions(found, uniform).entries()) {
        const lossAt = async (distance: number): Promise<number> => {
          const moved = point[name].map((value, i) => value + distance * direction[i]);
          return (await program.run({ ...point, [name]: moved })).loss[0];
        };
        // All under way at once: each waits for its result, Deno for 10 ms at the least.
        const [ahead, behind, farAhead, farBehind] = await Promise.all([step, -step, 2 * step, -2 * step].map(lossAt));
        const near = (ahead - behind) / (2 * step);
        const far = (farAhead - farBehind) / (4 * step);
        const expected = (4 * near - far) / 3;
        const tolerance = (1.5 * rounding) / step + Math.abs(near - far) / 3;
        const derivative = found.reduce((total, value, i) => total + value * direction[i], 0);
        const where = `the gradient for ${name} along direction ${number}`;
        // Not `>`: a NaN must not slip through.
        if (!(Math.abs(derivative - expected) <= tolerance)) {
          throw new GradientCheckError(
            `${where} is ${derivative}; finite differences give ${expected} within ${tolerance}`,
          );
        }
        if (tolerance > BLUNT * size)
          throw new GradientCheckError(
            `${where}: a tolerance of ${tolerance} says nothing of a gradient of size ${size}; choose another point or step`,
          );
        worst = Math.max(worst, Math.abs(derivative - expected) / tolerance);
      }
    }
    return worst;
  } finally {
    program.destroy();
  }
}

/** Random signs, and the gradient itself, rounded so that steps along it are exact in float32. */
function directions(gradient: Float32Array, uniform: () => number): Float32Array[] {
  const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const random = Array.from({ length: RANDOM_DIRECTIONS }, () => gradient.map(() => (uniform() < 0 ? -1 : 1)));
  return [...random, gradient.map((value) => Math.round((16 * value) / largest) / 16)];
}

/** Sample values in [-1, 1) with 10 binary places. */
export function samples(
  shape: Shape,
  seed: number,
  change: (value: number, index: number) => number = (value) => value,
): { readonly shape: Shape; readonly values: Float32Array } {
  const uniform = uniformNumbers(seed);
  return {
    shape,
    values: Float32Array.from(
      { length: elementCount(shape) },
      (_, index) => Math.round(change(uniform(), index) * 1024) / 1024,
    ),
  };
}

/** Samples at least 0.25 from 0, of either sign: a ReLU behind them stays on its side. */
export const awayFromZero = (value: number): number => Math.sign(value) * (0.25 + 0.75 * Math.abs(value));
