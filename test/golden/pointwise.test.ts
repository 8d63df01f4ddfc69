// Every pointwise function and its gradients at special and ordinary points, against PyTorch (pointwise.py).
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as functions from '../../kernels/elementwise/functions.ts';
import type { PointwiseFunction } from '../../kernels/elementwise/pointwise.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { pointwise } from '../../src/autodiff/ops/pointwise-function.ts';
import { dot } from '../../src/autodiff/ops/scale.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, type Tensor } from '../../src/autodiff/tensor.ts';
import { testDevice } from '../support/device.ts';
import { assertWithin } from '../support/kernel-test.ts';

/** A number, or NaN and the infinities as strings: JSON has none of them. */
type Encoded = readonly (number | string)[];

interface Fixture {
  readonly outputGradient: number;
  readonly operands: Readonly<Record<string, Encoded>>;
  readonly cases: readonly {
    readonly name: string;
    /** The output and the gradient for each operand, in float64. */
    readonly results: readonly Encoded[];
  }[];
}

const fixture = JSON.parse(readFileSync(new URL('./pointwise.json', import.meta.url), 'utf8')) as Fixture;
const dy = fixture.outputGradient;
const operands = Object.fromEntries(
  Object.entries(fixture.operands).map(([name, values]) => [name, Float32Array.from(values, Number)]),
);
const rows = new Map(Object.values(functions).map((row: PointwiseFunction) => [row.name, row]));
/** The fixture has nine digits. */
const DIGITS = 5e-9;

/** The row's own float64 value of a result, and its error bound. */
function ofRow(row: PointwiseFunction, result: number, point: readonly number[]): { value: number; error: number } {
  const parameters = row.parameters ?? {};
  const numbers = Object.values(parameters).map(Math.fround);
  const y = row.value(...point, ...numbers);
  const yError = row.error(y, ...point, ...numbers);
  if (result === 0) return { value: y, error: yError };
  const derivative = row.derivatives?.[result - 1];
  if (derivative === undefined || derivative === 'dy') return { value: dy, error: 0 };
  const { function: of, of: names } = derivative;
  const used: Readonly<Record<string, number>> = { ...parameters, ...derivative.parameters };
  const last = Object.keys(of.parameters ?? {}).map((parameter) => Math.fround(used[parameter]));
  const given = (output: number): number[] => [
    ...names.map((name) => (name === 'dy' ? dy : name === 'y' ? output : point[row.operands.indexOf(name)])),
    ...last,
  ];
  const at = (output: number): number => of.value(...given(output));
  // A gradient that is computed from y includes what the error of y does to it.
  const moved = names.includes('y') ? Math.max(Math.abs(at(y + yError) - at(y)), Math.abs(at(y - yError) - at(y))) : 0;
  return { value: at(y), error: of.error(at(y), ...given(y)) + moved };
}

/** What differs from PyTorch on purpose; the docstrings of the ops give the reasons. */
function expectedValue(row: PointwiseFunction, result: number, point: readonly number[], theirs: number): number {
  const { name } = row;
  const [x, b] = point;
  // A NaN does not become a small gradient.
  if (Number.isNaN(x) && result === 1 && ['abs', 'clamp', 'leakyRelu', 'relu6'].includes(name)) return dy;
  // Limits, in place of the NaN of 0 times infinity.
  if (Math.abs(x) === Infinity && row.operands.length === 1 && Number.isNaN(theirs))
    return ofRow(row, result, point).value;
  // The base -0 is taken for 0: in the gradient, b a^(b - 1), its sign would count where b - 1 is odd.
  return name === 'power' && result === 1 && Object.is(x, -0) && b === -1e4 ? -Infinity : theirs;
}

test('values and gradients agree with PyTorch, also at kinks, NaN and infinities', async () => {
  const tensors = Object.fromEntries(
    Object.entries(operands).map(([name, { length }]) => [name, input(name, [length])]),
  );
  const outputs: Record<string, Tensor> = {};
  for (const { name, results } of fixture.cases) {
    const row = rows.get(name) as PointwiseFunction;
    const given = results.length === 2 ? [tensors.x] : [tensors.a, tensors.b];
    const y = pointwise(row, given, row.parameters);
    const seed = constant('output gradient', y.shape, new Float32Array(y.length).fill(dy));
    [y, ...gradient(dot(y, seed), given)].forEach((tensor, result) => (outputs[`${name} ${result}`] = tensor));
  }
  const program: Program = await Program.compile<string>(new DeviceStorage(await testDevice()), { outputs });
  try {
    const found = await program.run(operands);
    for (const { name, results } of fixture.cases) {
      const row = rows.get(name) as PointwiseFunction;
      results.forEach((values, result) => {
        const points = results.length === 2 ? [operands.x] : [operands.a, operands.b];
        const at = (i: number): number[] => points.map((numbers) => numbers[i]);
        const expected = values.map((value, i) => expectedValue(row, result, at(i), Number(value)));
        const errors = expected.map((value, i) =>
          Number.isFinite(value) ? ofRow(row, result, at(i)).error + DIGITS * Math.abs(value) : 0,
        );
        const what = result === 0 ? name : `${name}, gradient for ${row.operands[result - 1]}`;
        assertWithin(what, found[`${name} ${result}`], expected, errors);
      });
    }
  } finally {
    program.destroy();
  }
});

test('the fixture has every row', () => {
  const made = fixture.cases.map(({ name }) => name).sort();
  const missing = [...rows.keys()].filter((name) => name !== 'broadcast' && !made.includes(name));
  assert.equal(missing, [], 'rows without values: run /usr/bin/python3 test/golden/pointwise.py and commit its file');
});

test.run();
