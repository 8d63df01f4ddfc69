import * as assert from 'uvu/assert';

/**
 * Compares a gradient with central differences of its function in float64, one element of the input after the other.
 * @param loss a smooth function of the input near where it stands; it must not keep the array that it gets
 * @param tolerance the largest difference allowed, relative to 1 + |gradient|
 */
export function assertGradient(
  what: string,
  loss: (input: Float64Array) => number,
  input: Float64Array,
  gradient: ArrayLike<number>,
  tolerance = 1e-7,
): void {
  assert.is(gradient.length, input.length, `${what}: length`);
  // The cube root of float64's precision balances the truncation error against cancellation.
  const step = 1e-5;
  const moved = input.slice();
  for (let i = 0; i < input.length; i++) {
    moved[i] = input[i] + step;
    const above = loss(moved);
    moved[i] = input[i] - step;
    const below = loss(moved);
    moved[i] = input[i];
    const difference = (above - below) / (2 * step);
    const within = Math.abs(difference - gradient[i]) <= tolerance * (1 + Math.abs(gradient[i]));
    assert.ok(within, `${what}[${i}] is ${gradient[i]}, central differences give ${difference}`);
  }
}

/** sum_i weights_i * values_i: a loss whose gradient for `values` is `weights`. */
export function weightedSum(weights: Float64Array, values: Float64Array): number {
  return values.reduce((sum, value, i) => sum + weights[i] * value, 0);
}
