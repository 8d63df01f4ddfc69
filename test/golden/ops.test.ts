import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EPSILON } from '../../kernels/kernel.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { batchNorm } from '../../src/autodiff/ops/batch-norm.ts';
import { bias } from '../../src/autodiff/ops/bias.ts';
import { convolution, linear } from '../../src/autodiff/ops/convolution.ts';
import { l2Normalize } from '../../src/autodiff/ops/l2-normalize.ts';
import { globalAveragePool, maxPool } from '../../src/autodiff/ops/pooling.ts';
import { dot } from '../../src/autodiff/ops/scale.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, type Tensor } from '../../src/autodiff/tensor.ts';
import { testDevice } from '../support/device.ts';
import { assertWithin } from '../support/kernel-test.ts';
import { integerStream, integerValues } from './integer-weights.ts';

interface GoldenOp {
  readonly name: string;
  readonly op: string;
  readonly options: Readonly<Record<string, number>>;
  readonly inputs: readonly {
    readonly name: string;
    readonly stream: number;
    readonly shape: readonly number[];
    readonly scale: number;
    readonly offset: number;
  }[];
  readonly output: { readonly shape: readonly number[]; readonly values: readonly number[] };
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const fixture: { readonly outputGradientStream: number; readonly cases: readonly GoldenOp[] } = JSON.parse(
  readFileSync(new URL('./ops.json', import.meta.url), 'utf8'),
);

/**
 * Roundings of the largest value that an element may be off by. The longest sum here has 147 terms: its rounding errors
 * add up to about sqrt(147) = 12 of them.
 */
const ROUNDINGS = 32;

const operations: Readonly<
  Record<string, (inputs: Readonly<Record<string, Tensor>>, options: GoldenOp['options']) => Tensor>
> = {
  conv2d: ({ input: x, weight }, { stride, padding }) => convolution(x, weight, { stride, padding }),
  batchNorm: ({ input: x, weight, bias: beta }, { epsilon }) => batchNorm(x, weight, beta, { epsilon }).y,
  maxPool: ({ input: x }, { kernel, stride, padding }) => maxPool(x, { window: kernel, stride, padding }),
  globalAveragePool: ({ input: x }) => globalAveragePool(x),
  linear: ({ input: x, weight, bias: b }) => bias(linear(x, weight), b),
  l2Normalise: ({ input: x }) => l2Normalize(x),
};

for (const { name, op, options, inputs, output, gradients } of fixture.cases) {
  test(`PyTorch agrees: ${name}`, async () => {
    const given = inputs.map(({ name: key, shape }) =>
      input(
        key,
        deviceOrder(key, shape).map((axis) => shape[axis]),
      ),
    );
    const y = operations[op](Object.fromEntries(given.map((tensor) => [tensor.name, tensor])), options);
    const seed = toDevice(
      'output',
      output.shape,
      integerValues(fixture.outputGradientStream, y.length, (value) => value),
    );
    const loss = dot(y, constant('output gradient', y.shape, Float32Array.from(seed)));
    const computed = Object.fromEntries(gradient(loss, given).map((tensor, index) => [given[index].name, tensor]));
    const program: Program = await Program.compile<string>(new DeviceStorage(await testDevice()), {
      outputs: { output: y, ...computed },
    });
    try {
      const feeds = inputs.map(({ name: key, shape, stream, scale, offset }) => {
        const element = integerStream(stream);
        return [
          key,
          toDevice(
            key,
            shape,
            Float32Array.from(
              { length: shape.reduce((product, size) => product * size) },
              (_, i) => offset + scale * element(i),
            ),
          ),
        ];
      });
      const found = await program.run(Object.fromEntries(feeds));
      assertClose('output', found.output, toDevice('output', output.shape, Float64Array.from(output.values)));
      for (const { name: key, shape } of inputs)
        assertClose(`gradient of ${key}`, found[key], toDevice(key, shape, Float64Array.from(gradients[key])));
    } finally {
      program.destroy();
    }
  });
}

test('every case of the fixture is there', () => {
  assert.equal([...new Set(fixture.cases.map(({ op }) => op))].sort(), Object.keys(operations).sort());
});

function assertClose(what: string, found: Float32Array, expected: Float64Array): void {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assertWithin(what, found, expected, new Float64Array(expected.length).fill(ROUNDINGS * EPSILON * largest));
}

/** PyTorch's axes in our order: images channels last, weights with the outputs last. */
function deviceOrder(key: string, shape: readonly number[]): readonly number[] {
  if (shape.length === 4) return key === 'weight' ? [2, 3, 1, 0] : [0, 2, 3, 1];
  return shape.length === 2 && key === 'weight' ? [1, 0] : shape.map((_, axis) => axis);
}

function toDevice<Values extends Float32Array | Float64Array>(
  key: string,
  shape: readonly number[],
  values: Values,
): Values {
  const order = deviceOrder(key, shape);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const result = values.slice() as Values;
  for (let index = 0; index < values.length; index++) {
    let rest = index;
    let source = 0;
    for (const axis of [...order].reverse()) {
      source += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    result[index] = values[source];
  }
  return result;
}

test.run();
