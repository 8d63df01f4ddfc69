// What ops are given: shapes axis by axis, attributes by type and range, and no option that an op does not have.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gradient } from '../../src/autodiff/gradient.ts';
import { applyNode, apply, use, type Op } from '../../src/autodiff/op.ts';
import { add, clamp, gelu, leakyRelu, multiply, power, relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { broadcastTo, sumTo } from '../../src/autodiff/ops/broadcast.ts';
import { dot } from '../../src/autodiff/ops/scale.ts';
import { affine } from '../../src/autodiff/ops/affine.ts';
import { batchNorm, normalize } from '../../src/autodiff/ops/batch-norm.ts';
import { bias } from '../../src/autodiff/ops/bias.ts';
import {
  convolution,
  convolutionWithEpilogue,
  convolutionWithStatistics,
  linear,
} from '../../src/autodiff/ops/convolution.ts';
import { foldBatchNorm } from '../../src/autodiff/ops/fold-batch-norm.ts';
import { quadrupletLoss, softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { l2Normalize } from '../../src/autodiff/ops/l2-normalize.ts';
import { accumulate } from '../../src/autodiff/ops/effects.ts';
import { pack } from '../../src/autodiff/ops/pack.ts';
import { globalAveragePool, maxPool } from '../../src/autodiff/ops/pooling.ts';
import { prepareImages } from '../../src/autodiff/ops/prepare-images.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { reshape } from '../../src/autodiff/ops/reshape.ts';
import { concatenate, scatterRows, selectRows } from '../../src/autodiff/ops/rows.ts';
import { softmax } from '../../src/autodiff/ops/softmax.ts';
import { transpose } from '../../src/autodiff/ops/transpose.ts';
import type { ProgramOptions } from '../../src/autodiff/program.ts';
import { input, ShapeError, ParameterStore, type Tensor } from '../../src/autodiff/tensor.ts';
import { Network } from '../../src/nn/layers.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { fill as fillKernel } from '../../kernels/elementwise/fill.ts';

const I = input;
const image = I('x', [1, 5, 5, 4]);
const weight = I('w', [3, 3, 4, 8]);
const vector = I('v', [4]);

/** As JavaScript calls it: what TypeScript would refuse. */
const untyped = (value: unknown): never => value as never;

function refused(make: () => unknown, message: RegExp): void {
  assert.throws(
    make,
    (error: Error) => error instanceof ShapeError && message.test(error.message) && error.message.length < 300,
    `${make}: ${message}`,
  );
}

test('shapes are compared axis by axis, not by their number of elements', () => {
  for (const [a, b] of [
    [
      [2, 3],
      [3, 2],
    ],
    [[6], [2, 3]],
    [
      [2, 2, 3],
      [2, 3, 2],
    ],
  ]) {
    refused(
      () => dot(I('a', a), I('b', b)),
      new RegExp(`dot: b \\[${b.join(', ')}\\] was given where \\[${a.join(', ')}\\] was expected`),
    );
    for (const op of [add, multiply, power])
      refused(
        () => op(I('a', a), I('b', b)),
        new RegExp(
          `^${op.name}: a \\[${a.join(', ')}\\] and b \\[${b.join(', ')}\\] cannot be broadcast: counted from the last axis, sizes must be equal or 1$`,
        ),
      );
  }
  refused(() => broadcastTo(I('x', [2, 3]), [3]), /^broadcastTo: \[2, 3\] cannot be broadcast to \[3\]: counted/);
  refused(() => sumTo(I('x', [2, 3]), [3, 3]), /^sumTo: \[3, 3\] cannot be broadcast to \[2, 3\]: counted/);
  refused(() => affine(image, I('scale', [2, 2]), vector), /affine: scale \[2, 2\]/);
  refused(() => affine(image, vector, vector, { residual: I('r', [5, 5, 4, 1]) }), /affine: r/);
  refused(() => bias(I('x', [3, 4]), I('b', [1, 4])), /bias: b/);
  refused(() => batchNorm(image, I('gamma', [2, 2]), vector, { epsilon: 1e-5 }), /batchNorm: gamma/);
  refused(() => batchNorm(image, vector, vector, { epsilon: 1e-5, residual: I('r', [25, 4]) }), /batchNorm: r/);
  refused(() => normalize(image, { mean: vector, inverseDeviation: I('d', [4, 1]) }, vector, vector), /normalize: d/);
  refused(() => foldBatchNorm(vector, vector, I('mean', [2, 2]), vector, 1e-5), /foldBatchNorm: mean/);
  refused(() => foldBatchNorm(vector, vector, I('mean', [5]), vector, 1e-5), /foldBatchNorm: mean/);
  refused(
    () => convolutionWithEpilogue(image, weight, { scale: I('scale', [4, 2]), shift: I('shift', [8]) }),
    /convolutionWithEpilogue: scale/,
  );
  refused(
    () =>
      convolutionWithEpilogue(image, weight, {
        scale: I('scale', [8]),
        shift: I('shift', [8]),
        residual: I('r', [9, 8]),
      }),
    /convolutionWithEpilogue: r/,
  );
  refused(() => concatenate([]), /concatenate: no tensors/);
  refused(() => concatenate([I('a', [2, 12]), I('b', [2, 1, 2])]), /differ behind the batch/);
  refused(() => softmaxCrossEntropy(I('a', [2, 3]), I('b', [3, 2])), /softmaxCrossEntropy: b/);
  refused(() => softmaxCrossEntropy(I('a', [2, 3]), I('b', [2, 1], 'u32')), /softmaxCrossEntropy: b/);
  refused(() => quadrupletLoss(I('e', [4, 8]), I('l', [2, 2], 'u32'), I('d', [4], 'u32')), /quadrupletLoss: l/);
  refused(() => selectRows(I('t', [6, 2]), I('i', [2, 2], 'u32')), /selectRows/);
  refused(() => scatterRows(I('r', [2, 4]), I('i', [4], 'u32'), I('t', [6, 2])), /scatterRows/);
  const store = new ParameterStore('s');
  store.add('w', [2, 3]);
  refused(() => pack(new Map([['w', relu(I('x', [3, 2]))]]), store), /pack: w of s: .*\[2, 3\]/);
  refused(() => accumulate(store.get('w'), relu(I('x', [6]))), /accumulate/);
});

test('strides, paddings and windows are integers in range, for one axis or for both', () => {
  for (const stride of [
    1.5,
    0,
    -1,
    NaN,
    Infinity,
    2 ** 33,
    65536,
    '2',
    null,
    [1],
    [1, 2, 3],
    [1, 0],
    [1, 1.5],
    [1, '2'],
    {},
  ])
    refused(() => convolution(image, weight, { stride: untyped(stride) }), /^convolution: stride is/);
  for (const padding of [0.5, -1, NaN, 1e9, [1, 2, 1, 2], [0, -1], '1'])
    refused(
      () => convolutionWithStatistics(image, weight, { padding: untyped(padding), epsilon: 1e-5 }),
      /^convolutionWithStatistics: padding is/,
    );
  assert.equal(convolution(image, weight, { stride: [2, 1], padding: [1, 0] }).shape, [1, 3, 3, 8]);
  assert.equal(convolution(image, weight, { stride: 65535 }).shape, [1, 1, 1, 8]);
  for (const [name, values] of Object.entries({
    window: [0, -3, 1.5, [3, 2], undefined],
    stride: [0, 1.5, -1, [1, 1], undefined],
    padding: [-1, 0.5, undefined],
  })) {
    for (const value of values)
      refused(
        () => maxPool(image, untyped({ window: 3, stride: 2, padding: 1, [name]: value })),
        new RegExp(`^maxPool: ${name} is`),
      );
  }
  assert.equal(maxPool(image, { window: 3, stride: 2, padding: 1 }).shape, [1, 3, 3, 4]);
  for (const name of ['count', 'source', 'size'])
    refused(
      () =>
        prepareImages(untyped({ count: 1, source: 8, size: 8, mean: [0, 0, 0], deviation: [1, 1, 1], [name]: 0.5 })),
      new RegExp(`prepareImages: ${name} is 0.5`),
    );
});

test('factors, temperatures and epsilons are finite numbers in range', () => {
  for (const factor of [NaN, Infinity, '2', null]) {
    refused(() => scale(image, untyped(factor)), /scale: factor is/);
    refused(() => leakyRelu(image, untyped(factor)), /leakyRelu: slope is/);
    refused(() => clamp(image, untyped(factor), 1), /clamp: low is/);
  }
  for (const temperature of [0, -1, NaN, Infinity])
    refused(() => softmax(I('l', [2, 3]), temperature), /softmax: temperature is/);
  for (const temperature of [0, -1, NaN])
    refused(
      () => softmaxCrossEntropy(I('a', [2, 3]), I('b', [2], 'u32'), temperature),
      /softmaxCrossEntropy: temperature is/,
    );
  for (const margin of [-1, NaN])
    refused(
      () => quadrupletLoss(I('e', [4, 8]), I('l', [4], 'u32'), I('d', [4], 'u32'), { margin }),
      /quadrupletLoss: margin is/,
    );
  for (const epsilon of [-1e-5, NaN, undefined]) {
    refused(() => batchNorm(image, vector, vector, { epsilon: untyped(epsilon) }), /batchNorm: epsilon is/);
    refused(() => foldBatchNorm(vector, vector, vector, vector, untyped(epsilon)), /foldBatchNorm: epsilon is/);
    refused(
      () => convolutionWithStatistics(image, weight, { epsilon: untyped(epsilon) }),
      /convolutionWithStatistics: epsilon is/,
    );
  }
  refused(() => clamp(image, 2, 1), /^clamp: low is 2, above high, which is 1$/);
  refused(
    () => gelu(image, untyped({ approximate: 'erf' })),
    /^gelu: approximate is erf; 'none' or 'tanh' was expected$/,
  );
  refused(() => gelu(image, untyped({ exact: true })), /^gelu has no option exact/);
  refused(() => relu(I('x', [2], 'u32')), /^x \[2\] u32 holds integers; floats were expected$/);
});

test('an option that an op does not have is refused by name', () => {
  for (const option of ['dilation', 'groups', 'strides', 'pad'])
    refused(
      () => convolution(image, weight, untyped({ [option]: 2 })),
      new RegExp(`convolution has no option ${option}; it takes stride, padding`),
    );
  refused(
    () =>
      convolutionWithEpilogue(image, weight, untyped({ scale: I('s', [8]), shift: I('t', [8]), activation: 'relu' })),
    /no option activation/,
  );
  refused(() => convolutionWithStatistics(image, weight, untyped({ epsilon: 1e-5, groups: 2 })), /no option groups/);
  refused(
    () => maxPool(image, untyped({ window: 2, stride: 2, padding: 0, ceilMode: true })),
    /maxPool has no option ceilMode/,
  );
  refused(
    () => batchNorm(image, vector, vector, untyped({ epsilon: 1e-5, momentum: 0.1 })),
    /batchNorm has no option momentum/,
  );
  refused(
    () => normalize(image, { mean: vector, inverseDeviation: vector }, vector, vector, untyped({ epsilon: 1e-5 })),
    /normalize has no option epsilon/,
  );
  refused(() => affine(image, vector, vector, untyped({ Relu: true })), /affine has no option Relu/);
  refused(
    () => quadrupletLoss(I('e', [4, 8]), I('l', [4], 'u32'), I('d', [4], 'u32'), untyped({ minning: 'hardest' })),
    /quadrupletLoss has no option minning/,
  );
  const network = new Network();
  const layers = [network.convolutionWeight('w', 3, 4, 8), network.batchNorm('n', 8)] as const;
  for (const mode of ['train', 'frozen', 'eval'] as const)
    refused(
      () => new ForwardContext(network, mode).convolutionBatchNorm(image, ...layers, untyped({ dilation: 2 })),
      /no option dilation/,
    );
});

test('ranks and types are checked where an op is applied', () => {
  refused(() => convolution(I('x', [5, 5, 4]), weight), /convolution: x \[5, 5, 4\]/);
  refused(() => linear(image, weight), /linear/);
  refused(() => maxPool(I('x', [5, 5]), { window: 1, stride: 1, padding: 0 }), /maxPool: x \[5, 5\]/);
  refused(() => globalAveragePool(vector), /globalAveragePool/);
  refused(() => l2Normalize(vector), /l2Normalize/);
  refused(() => transpose(vector), /transpose/);
  refused(() => reshape(vector, [2, 3]), /reshape/);
  refused(() => reshape(vector, [-2, -2]), /no shape/);
  refused(() => I('x', [2, 2], untyped('f64')), /f64/);
});

test('a gradient has the shape of its tensor; a rule that gives another is an error', () => {
  const x = I('x', [3, 4]);
  const w = new ParameterStore('p').add('w', [4, 5]);
  assert.equal(
    gradient(sum(linear(x, w)), [x, w]).map(({ shape }) => shape),
    [
      [3, 4],
      [4, 5],
    ],
  );
  const flattens: Op<null> = {
    name: 'flattens',
    infer: ([values]) => [{ shape: values.shape }],
    lower: () => [],
    gradient: (_, [dy]) => [dy && reshape(dy, [12])],
  };
  refused(
    () => gradient(sum(apply(flattens, [x], null)[0]), [x]),
    /flattens: the gradient of x \[3, 4\] came out as .*\[12\]/,
  );
});

test('what applyNode gives is an update, whatever the attributes are', () => {
  const op: Op<{ readonly value: number }> = {
    name: 'reset',
    effect: true,
    infer: () => [],
    lower: ({ attributes: { value }, inputs: [values] }) => [
      use(fillKernel, { count: values.length, value }, { values }),
    ],
    gradient: ({ attributes: { value } }, [dy]) => [dy && scale(dy, value)],
  };
  const target: Tensor = new ParameterStore('s').add('t', [4]);
  const options: ProgramOptions<string> = { outputs: {}, updates: [applyNode(op, [target], { value: 7 })] };
  assert.is(options.updates?.[0].op.name, 'reset');
});

test.run();
