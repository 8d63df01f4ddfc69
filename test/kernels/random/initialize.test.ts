import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initialValues } from '../../../kernels/random/initialize.ts';
import { RandomStream } from '../../../src/random/philox.ts';

test('initialize: uniform numbers are those of the stream with the same seed and address', () => {
  const stream = new RandomStream(42, 0, [5, 6]);
  const values = initialValues({
    count: 9,
    distribution: { kind: 'uniform', bound: 1 },
    key: [42, 0],
    address: [5, 6],
  });
  for (const value of values) assert.is(value, 2 * stream.uniform() - 1);
});

test('initialize: the moments are those of the distributions', () => {
  const count = 40000;
  const moments = (values: Float64Array) =>
    [1, 2, 3, 4].map((power) => values.reduce((sum, value) => sum + value ** power, 0) / count);
  // Tolerances: five deviations of the mean of 40,000 powers.
  const near = (actual: number, expected: number, deviation: number, what: string): void =>
    assert.ok(Math.abs(actual - expected) < (5 * deviation) / Math.sqrt(count), `${what}: ${actual}, not ${expected}`);

  const uniform = initialValues({ count, distribution: { kind: 'uniform', bound: 1 }, key: [7, 0], address: [0, 0] });
  assert.ok(uniform.every((value) => value >= -1 && value < 1));
  moments(uniform).forEach((moment, i) =>
    near(moment, [0, 1 / 3, 0, 1 / 5][i], Math.sqrt(1 / (2 * i + 3)), `uniform, moment ${i + 1}`),
  );

  const normal = initialValues({ count, distribution: { kind: 'normal', deviation: 1 }, key: [7, 0], address: [1, 0] });
  assert.ok(normal.every((value) => Math.abs(value) < 6));
  moments(normal).forEach((moment, i) =>
    near(moment, [0, 1, 0, 2.9][i], Math.sqrt([1, 3, 15, 105][i]), `normal, moment ${i + 1}`),
  );
});

test('initialize: tensors at different addresses, or under different keys, have nothing in common', () => {
  const distribution = { kind: 'uniform', bound: 1 } as const;
  const values = (key: readonly [number, number], address: readonly [number, number]) =>
    new Set(initialValues({ count: 64, distribution, key, address }));
  const base = values([1, 0], [0, 0]);
  for (const other of [
    values([2, 0], [0, 0]),
    values([1, 1], [0, 0]),
    values([1, 0], [1, 0]),
    values([1, 0], [0, 1]),
  ]) {
    assert.not.ok([...other].some((value) => base.has(value)));
  }
});

test.run();
