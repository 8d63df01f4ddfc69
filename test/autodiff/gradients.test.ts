import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scaleByConstant } from '../../kernels/scale.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { gradientRules } from '../../src/autodiff/gradient-rules.ts';
import { apply, use, type Op } from '../../src/autodiff/op.ts';
import { add } from '../../src/autodiff/ops/add.ts';
import { affine } from '../../src/autodiff/ops/affine.ts';
import { batchNorm, normalize } from '../../src/autodiff/ops/batch-norm.ts';
import { bias } from '../../src/autodiff/ops/bias.ts';
import { cast } from '../../src/autodiff/ops/cast.ts';
import { convolution, convolutionWithEpilogue, convolutionWithStatistics, linear, type ConvolutionOptions } from '../../src/autodiff/ops/convolution.ts';
import { fill } from '../../src/autodiff/ops/fill.ts';
import { foldBatchNorm } from '../../src/autodiff/ops/fold-batch-norm.ts';
import { identity } from '../../src/autodiff/ops/identity.ts';
import { l2Normalize } from '../../src/autodiff/ops/l2-normalize.ts';
import { quadrupletLoss, softmaxCrossEntropy, type QuadrupletOptions } from '../../src/autodiff/ops/losses.ts';
import { pack } from '../../src/autodiff/ops/pack.ts';
import { multiply, relu } from '../../src/autodiff/ops/pointwise.ts';
import { globalAveragePool, maxPool } from '../../src/autodiff/ops/pooling.ts';
import { mean, sum } from '../../src/autodiff/ops/reduce.ts';
import { reshape } from '../../src/autodiff/ops/reshape.ts';
import { concatenate, scatterRows, selectRows } from '../../src/autodiff/ops/rows.ts';
import { dot, scale, scaleBy } from '../../src/autodiff/ops/scale.ts';
import { softmax } from '../../src/autodiff/ops/softmax.ts';
import { transpose } from '../../src/autodiff/ops/transpose.ts';
import { Store } from '../../src/autodiff/store.ts';
import { constant, input, ShapeError, type Shape, type Tensor } from '../../src/autodiff/tensor.ts';
import { testDevice } from '../support/device.ts';
import { awayFromZero, checkGradient, GradientCheckError, samples, type GradientCase } from '../support/gradient-check.ts';

const vector = (name: string, values: readonly number[]): Tensor => constant(name, [values.length], Float32Array.from(values));
const indices = (name: string, values: readonly number[]): Tensor => constant(name, [values.length], Uint32Array.from(values));

function convolutionCase(image: Shape, kernel: number, outputs: number, options: ConvolutionOptions): GradientCase {
  const inputs = { x: samples(image, 1), w: samples([kernel, kernel, image[3], outputs], 2, (value) => value / 2) };
  return { inputs, apply: ({ x, w }) => [convolution(x, w, options)], reduction: kernel * kernel * image[3] };
}

/** Two clusters a channel, so that normalised values stay away from 0, where a ReLU has its kink. */
function batchNormCase(residual: boolean, isRelu: boolean): GradientCase {
  const inputs = {
    x: samples([3, 4, 3, 8], 1, awayFromZero),
    gamma: samples([8], 2, (value) => 1 + value / 4),
    beta: samples([8], 3, (value) => value / 16),
    ...(residual ? { residual: samples([3, 4, 3, 8], 4, (value) => value / 16) } : {}),
  };
  return { inputs, apply: ({ x, gamma, beta, residual }) => [batchNorm(x, gamma, beta, { epsilon: 1e-5, residual, relu: isRelu }).y], reduction: 36, step: 2 ** -7 };
}

/** The same points, through a convolution whose weights are the identity. */
function normalizeCase(residual: boolean, isRelu: boolean): GradientCase {
  const identityWeights = constant('identity', [1, 1, 8, 8], Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : 0)));
  return {
    ...batchNormCase(residual, isRelu),
    apply: ({ x, gamma, beta, residual }) => {
      const { y, ...statistics } = convolutionWithStatistics(x, identityWeights, { epsilon: 1e-5 });
      return [normalize(y, statistics, gamma, beta, { residual, relu: isRelu })];
    },
  };
}

function affineCase(residual: boolean, isRelu: boolean): GradientCase {
  const inputs = {
    x: samples([2, 3, 5, 6], 1, awayFromZero),
    factor: samples([6], 2, awayFromZero),
    shift: samples([6], 3, (value) => value / 32),
    ...(residual ? { residual: samples([2, 3, 5, 6], 4, (value) => value / 32) } : {}),
  };
  return { inputs, apply: ({ x, factor, shift, residual }) => [affine(x, factor, shift, { residual, relu: isRelu })], step: 2 ** -8 };
}

function foldCase(outputs: readonly ('scale' | 'shift')[]): GradientCase {
  return {
    inputs: { gamma: samples([5], 1), beta: samples([5], 2) },
    apply: ({ gamma, beta }) => {
      const folded = foldBatchNorm(gamma, beta, vector('mean', [-1, 0.5, 0, 2, 0.1]), vector('variance', [0.5, 2, 1, 0.1, 4]), 1e-5);
      return outputs.map((name) => folded[name]);
    },
  };
}

function quadrupletCase(options: QuadrupletOptions): GradientCase {
  const labels = indices('labels', [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  const domains = indices('domains', [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const inputs = { x: samples([12, 6], 21) };
  return { inputs, apply: ({ x }) => [quadrupletLoss(l2Normalize(x), labels, domains, options).loss], reduction: 6, step: 2 ** -9 };
}

/** Distinct values an eighth apart in a shuffled order: no two can change places within a step. */
const separated = (shape: Shape): GradientCase['inputs'][string] => {
  const { values, ...rest } = samples(shape, 5);
  const order = [...values.keys()].sort((a, b) => values[a] - values[b] || a - b);
  order.forEach((element, rank) => (values[element] = (rank - order.length / 2) / 8));
  return { values, ...rest };
};

/** By the name of the exported function, one or more points at which its gradient is checked. */
const checks: Readonly<Record<string, Readonly<Record<string, GradientCase>>>> = {
  add: {
    'two tensors': { inputs: { a: samples([3, 5], 1), b: samples([3, 5], 2) }, apply: ({ a, b }) => [add(a, b)] },
    'one tensor twice': { inputs: { a: samples([7], 1) }, apply: ({ a }) => [add(a, a)] },
  },
  affine: {
    plain: affineCase(false, false),
    'with ReLU': affineCase(false, true),
    'with residual': affineCase(true, false),
    'with residual and ReLU': affineCase(true, true),
  },
  batchNorm: {
    plain: batchNormCase(false, false),
    'with ReLU': batchNormCase(false, true),
    'with residual': batchNormCase(true, false),
    'with residual and ReLU': batchNormCase(true, true),
  },
  bias: { 'a row': { inputs: { x: samples([4, 3, 5], 1), b: samples([5], 2) }, apply: ({ x, b }) => [bias(x, b)] } },
  cast: {
    // Linear, so that a step may be large against the rounding.
    'to 16 bits and back': { inputs: { x: samples([40], 1) }, apply: ({ x }) => [cast(cast(x, 'f16'), 'f32')], epsilon: 2 ** -11, step: 1 },
    'to what it is already': { inputs: { x: samples([7], 1) }, apply: ({ x }) => [cast(x, 'f32')] },
    'widened for an op without a 16-bit form': { inputs: { x: samples([40], 1) }, apply: ({ x }) => [scale(cast(x, 'f16'), -2.5)], epsilon: 2 ** -11, step: 1 },
  },
  concatenate: {
    'three parts': { inputs: { a: samples([1, 5], 1), b: samples([3, 5], 2), c: samples([2, 5], 3) }, apply: ({ a, b, c }) => [concatenate([a, b, c])] },
    'one part twice': { inputs: { a: samples([2, 4], 1) }, apply: ({ a }) => [concatenate([a, a])] },
  },
  convolution: {
    '1x1': convolutionCase([2, 3, 4, 8], 1, 6, {}),
    '1x1, stride 2': convolutionCase([2, 5, 4, 4], 1, 8, { stride: 2 }),
    '3x3': convolutionCase([2, 4, 5, 4], 3, 5, { padding: 1 }),
    '3x3, stride 2': convolutionCase([2, 5, 6, 3], 3, 4, { stride: 2, padding: 1 }),
    '7x7, stride 2': convolutionCase([1, 9, 8, 4], 7, 4, { stride: 2, padding: 3 }),
    'sides that differ': convolutionCase([1, 6, 5, 2], 3, 3, { stride: [2, 1], padding: [0, 2] }),
  },
  convolutionWithStatistics: {
    'y alone': { ...convolutionCase([2, 5, 6, 4], 3, 4, {}), apply: ({ x, w }) => [convolutionWithStatistics(x, w, { stride: 2, padding: 1, epsilon: 1e-5 }).y] },
    'with batch normalisation': {
      ...convolutionCase([2, 4, 5, 4], 3, 4, {}),
      apply: ({ x, w }) => {
        const { y, ...statistics } = convolutionWithStatistics(x, w, { padding: 1, epsilon: 1e-5 });
        return [normalize(y, statistics, vector('gamma', [1, -0.5, 2, 0.75]), vector('beta', [0, 1, 0, -1]))];
      },
      step: 2 ** -7,
    },
  },
  normalize: {
    plain: normalizeCase(false, false),
    'with ReLU': normalizeCase(false, true),
    'with residual': normalizeCase(true, false),
    'with residual and ReLU': normalizeCase(true, true),
  },
  linear: {
    'a batch': { inputs: { x: samples([5, 7], 1), w: samples([7, 6], 2) }, apply: ({ x, w }) => [linear(x, w)], reduction: 7 },
  },
  foldBatchNorm: { 'scale and shift': foldCase(['scale', 'shift']), 'the scale alone': foldCase(['scale']), 'the shift alone': foldCase(['shift']) },
  identity: { 'a copy': { inputs: { x: samples([3, 3], 1) }, apply: ({ x }) => [identity(x)] } },
  l2Normalize: { rows: { inputs: { x: samples([4, 9], 1, awayFromZero) }, apply: ({ x }) => [l2Normalize(x)], reduction: 9 } },
  softmaxCrossEntropy: {
    labels: { inputs: { logits: samples([4, 7], 1) }, apply: ({ logits }) => [softmaxCrossEntropy(logits, indices('labels', [0, 6, 3, 3]))], reduction: 28 },
    'a cosine classifier': {
      inputs: { x: samples([4, 6], 1, awayFromZero), w: samples([5, 6], 2, awayFromZero) },
      apply: ({ x, w }) => [softmaxCrossEntropy(linear(l2Normalize(x), transpose(l2Normalize(w))), indices('labels', [0, 4, 2, 2]), 0.25)],
      reduction: 24,
    },
    'distributions at a temperature': {
      inputs: { logits: samples([3, 4], 1, (value) => 2 * value) },
      apply: ({ logits }) => [softmaxCrossEntropy(logits, constant('targets', [3, 4], Float32Array.of(0.25, 0.25, 0.25, 0.25, 0, 0.5, 0, 0.5, 0.125, 0.125, 0.5, 0.25)), 2)],
      reduction: 12,
    },
  },
  quadrupletLoss: {
    'hardest mining': quadrupletCase({ margin: 0.5 }),
    'semi-hard mining': quadrupletCase({ margin: 0.5, mining: 'semi-hard' }),
    'random mining': quadrupletCase({ margin: 0.5, mining: 'random', seed: indices('seed', [5]) }),
    'one hinge': quadrupletCase({ margin: 0.5, form: 'one-hinge', share: 0.25 }),
    'two pairs': quadrupletCase({ margin: 0.9, form: 'two-pairs', mining: 'semi-hard' }),
  },
  relu: { 'both signs': { inputs: { x: samples([40], 1, awayFromZero) }, apply: ({ x }) => [relu(x)] } },
  multiply: {
    'two tensors': { inputs: { a: samples([3, 5], 1), b: samples([3, 5], 2) }, apply: ({ a, b }) => [multiply(a, b)] },
    'one tensor twice': { inputs: { a: samples([7], 1) }, apply: ({ a }) => [multiply(a, a)] },
  },
  maxPool: {
    'overlapping windows': { inputs: { x: separated([2, 5, 6, 4]) }, apply: ({ x }) => [maxPool(x, { window: 3, stride: 2, padding: 1 })] },
    'windows side by side': { inputs: { x: separated([1, 4, 6, 3]) }, apply: ({ x }) => [maxPool(x, { window: 2, stride: 2, padding: 0 })] },
  },
  globalAveragePool: { images: { inputs: { x: samples([2, 3, 5, 6], 1) }, apply: ({ x }) => [globalAveragePool(x)], reduction: 15 } },
  sum: { 'a matrix': { inputs: { x: samples([9, 11], 1) }, apply: ({ x }) => [sum(x)], reduction: 99 } },
  mean: { 'a matrix': { inputs: { x: samples([9, 11], 1) }, apply: ({ x }) => [mean(x)], reduction: 99 } },
  transpose: { 'a matrix': { inputs: { x: samples([4, 7], 1) }, apply: ({ x }) => [transpose(x)] } },
  reshape: { 'a view': { inputs: { x: samples([4, 6], 1) }, apply: ({ x }) => [reshape(x, [3, 8])] } },
  selectRows: {
    'repeated and unused rows': { inputs: { table: samples([5, 4], 1) }, apply: ({ table }) => [selectRows(table, indices('indices', [3, 0, 3, 3, 1]))] },
  },
  scatterRows: {
    'repeated and unused rows': { inputs: { rows: samples([5, 4], 1) }, apply: ({ rows }) => [scatterRows(rows, indices('indices', [3, 0, 3, 3, 1]), fill([6, 4], 0))] },
  },
  scale: { 'a number': { inputs: { x: samples([11], 1) }, apply: ({ x }) => [scale(x, -2.5)] } },
  scaleBy: { 'a tensor': { inputs: { x: samples([11], 1), factor: samples([1], 2, awayFromZero) }, apply: ({ x, factor }) => [scaleBy(x, factor)] } },
  dot: {
    'two tensors': { inputs: { a: samples([20], 1), b: samples([20], 2) }, apply: ({ a, b }) => [dot(a, b)], reduction: 20 },
    'one tensor twice': { inputs: { a: samples([8], 1) }, apply: ({ a }) => [dot(a, a)], reduction: 8 },
  },
};

/** Ops that stand between a loss and its inputs without a gradient: asking for one is an error that names the op. */
const withoutGradient: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  convolutionWithEpilogue: (x) =>
    convolutionWithEpilogue(reshape(x, [1, 1, 1, 4]), fill([1, 1, 4, 4], 1), { scale: fill([4], 1), shift: fill([4], 0) }),
  pack: (x) => {
    const store = new Store('packed');
    store.add('x', [4]);
    return pack(new Map([['x', x]]), store);
  },
  softmax: (x) => softmax(reshape(x, [1, 4])).probabilities,
};

/** Sources of a graph, tests of finiteness, and effects at its end: nothing behind or before them to differentiate. */
const ends = ['fill', 'prepareImages', 'nonFinite', 'lossScaleUpdate', 'adamUpdate', 'momentumSgdUpdate', 'interpolateUpdate', 'accumulate', 'clear', 'demand'];

test('every op of src/autodiff/ops is checked, or is known to have no gradient', async () => {
  const folder = new URL('../../src/autodiff/ops/', import.meta.url);
  const exported: string[] = [];
  for (const file of readdirSync(folder)) {
    const module: Readonly<Record<string, unknown>> = await import(new URL(file, folder).href);
    exported.push(...Object.keys(module).filter((name) => typeof module[name] === 'function' && !(name in gradientRules)));
  }
  assert.equal(exported.sort(), [...Object.keys(checks), ...Object.keys(withoutGradient), ...ends].sort());
});

for (const [op, cases] of Object.entries(checks)) {
  for (const [title, gradientCase] of Object.entries(cases)) {
    test(`${op}: ${title}`, async () => {
      const worst = await checkGradient(await testDevice(), gradientCase);
      assert.ok(worst <= 1, `${worst} times the tolerance`);
    });
  }
}

for (const [op, build] of Object.entries(withoutGradient)) {
  test(`${op} has no gradient, and says so`, () => {
    const x = input('x', [4]);
    assert.throws(() => gradient(sum(build(x)), [x]), (error: Error) => error instanceof ShapeError && error.message.includes(op));
  });
}

const onStatistics: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  batchNorm: (x) => batchNorm(x, fill([4], 1), fill([4], 0), { epsilon: 1e-5 }).variance,
  convolutionWithStatistics: (x) => {
    const { mean, inverseDeviation, variance } = convolutionWithStatistics(reshape(x, [3, 1, 1, 4]), fill([1, 1, 4, 4], 1), { epsilon: 1e-5 });
    return add(add(mean, inverseDeviation), variance);
  },
  quadrupletLoss: (x) => {
    const { loss, statistics } = quadrupletLoss(x, indices('labels', [0, 0, 1]), indices('domains', [0, 1, 1]));
    return add(loss, sum(statistics));
  },
};

for (const [op, build] of Object.entries(onStatistics)) {
  test(`${op}: a loss that depends on the statistics is refused, not given a part of its gradient`, () => {
    const x = input('x', [3, 4]);
    assert.throws(() => gradient(sum(build(x)), [x]), (error: Error) => error instanceof ShapeError && error.message.startsWith(`${op}: the gradient of the statistics`));
  });
}

/** Doubles, with a gradient rule that the test chooses. */
function doubling(gradientRule: (dy: Tensor) => Tensor): (x: Tensor) => Tensor {
  const op: Op<null> = {
    name: 'doubling',
    infer: ([x]) => [{ shape: x.shape }],
    lower: ({ inputs: [values], outputs: [scaled] }) => [use(scaleByConstant, { count: values.length, factor: 2 }, { values, scaled })],
    gradient: (_, [dy]) => [dy && gradientRule(dy)],
  };
  return (x) => apply(op, [x], null)[0];
}

const rules: Readonly<Record<string, (dy: Tensor) => Tensor>> = {
  'ignores the gradient that arrives': (dy) => fill(dy.shape, 2),
  'ignores a part of it': (dy) => scale(dy, 1.4),
  'is off by three per cent': (dy) => scale(dy, 2.06),
  'has the wrong sign': (dy) => scale(dy, -2),
};

test('the check passes a right rule', async () => {
  const right = doubling((dy) => scale(dy, 2));
  await checkGradient(await testDevice(), { inputs: { x: samples([6], 1) }, apply: ({ x }) => [right(x)] });
});

for (const [what, rule] of Object.entries(rules)) {
  test(`the check reports a rule that ${what}`, async () => {
    const wrong = doubling(rule);
    let caught: unknown;
    try {
      await checkGradient(await testDevice(), { inputs: { x: samples([6], 1) }, apply: ({ x }) => [wrong(x)] });
    } catch (error) {
      caught = error;
    }
    assert.instance(caught, GradientCheckError);
    assert.match(String(caught), 'finite differences give');
  });
}

test('the check reports a kink within its steps', async () => {
  let caught: unknown;
  try {
    await checkGradient(await testDevice(), { inputs: { x: { shape: [1], values: Float32Array.of(1 / 128) } }, apply: ({ x }) => [scale(relu(x), 8)] });
  } catch (error) {
    caught = error;
  }
  assert.instance(caught, GradientCheckError);
});

test.run();
