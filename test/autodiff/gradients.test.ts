import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as functions from '../../kernels/elementwise/functions.ts';
import { pointwiseKernel, withDerivatives, type PointwiseFunction } from '../../kernels/elementwise/pointwise.ts';
import { momentumSgd } from '../../kernels/optimizer/momentum-sgd.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { nodesBefore } from '../../src/autodiff/nodes-before.ts';
import { gradientRules } from '../../src/autodiff/generated/gradient-rules.ts';
import { apply, applyNode, cast, type Op, type OpExamples, use } from '../../src/autodiff/op.ts';
import * as pointwiseOps from '../../src/autodiff/ops/pointwise.ts';
import { add, divide, maximum, multiply, relu, scale, subtract } from '../../src/autodiff/ops/pointwise.ts';
import { pointwise } from '../../src/autodiff/ops/pointwise-function.ts';
import { dot, scaleBy } from '../../src/autodiff/ops/scale.ts';
import { affine } from '../../src/autodiff/ops/affine.ts';
import { batchNorm, normalize } from '../../src/autodiff/ops/batch-norm.ts';
import { broadcastTo, sumTo } from '../../src/autodiff/ops/broadcast.ts';
import {
  convolution,
  convolutionWithEpilogue,
  convolutionWithStatistics,
  linear,
  type ConvolutionOptions,
} from '../../src/autodiff/ops/convolution.ts';
import { fill } from '../../src/autodiff/ops/fill.ts';
import { foldBatchNorm } from '../../src/autodiff/ops/fold-batch-norm.ts';
import { contrastiveLoss, type ContrastiveOptions } from '../../src/autodiff/ops/contrastive-loss.ts';
import { l2Normalize } from '../../src/autodiff/ops/l2-normalize.ts';
import { quadrupletLoss, softmaxCrossEntropy, type QuadrupletOptions } from '../../src/autodiff/ops/losses.ts';
import { oneHot } from '../../src/autodiff/ops/one-hot.ts';
import {
  accumulate,
  clear,
  demand,
  interpolateUpdate,
  lossScaleUpdate,
  movingAverageUpdate,
  nonFinite,
  update,
} from '../../src/autodiff/ops/effects.ts';
import { pack } from '../../src/autodiff/ops/pack.ts';
import { maxPool } from '../../src/autodiff/ops/pooling.ts';
import { prepareImages } from '../../src/autodiff/ops/prepare-images.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { reshape } from '../../src/autodiff/ops/reshape.ts';
import { concatenate, scatterRows, selectRows } from '../../src/autodiff/ops/rows.ts';
import { softmax } from '../../src/autodiff/ops/softmax.ts';
import { topK } from '../../src/autodiff/ops/top-k.ts';
import { transpose } from '../../src/autodiff/ops/transpose.ts';
import {
  constant,
  GradientError,
  input,
  type GraphNode,
  type Shape,
  ParameterStore,
  type Tensor,
} from '../../src/autodiff/tensor.ts';
import { testDevice } from '../support/device.ts';
import {
  awayFromZero,
  checkGradient,
  GradientCheckError,
  samples,
  type GradientCase,
} from '../support/gradient-check.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

const vector = (name: string, values: readonly number[]): Tensor =>
  constant(name, [values.length], Float32Array.from(values));
const indices = (name: string, values: readonly number[]): Tensor =>
  constant(name, [values.length], Uint32Array.from(values));

function convolutionCase(image: Shape, kernel: number, outputs: number, options: ConvolutionOptions): GradientCase {
  const inputs = { x: samples(image, 1), w: samples([kernel, kernel, image[3], outputs], 2, (value) => value / 2) };
  return { inputs, apply: ({ x, w }) => [convolution(x, w, options)], reduction: kernel * kernel * image[3] };
}

/** Two clusters a channel, so that normalized values stay away from 0, where a ReLU has its kink. */
function batchNormCase(residual: boolean, isRelu: boolean): GradientCase {
  const inputs = {
    x: samples([3, 4, 3, 8], 1, awayFromZero),
    gamma: samples([8], 2, (value) => 1 + value / 4),
    beta: samples([8], 3, (value) => value / 16),
    ...(residual ? { residual: samples([3, 4, 3, 8], 4, (value) => value / 16) } : {}),
  };
  return {
    inputs,
    apply: ({ x, gamma, beta, residual }) => [batchNorm(x, gamma, beta, { epsilon: 1e-5, residual, relu: isRelu }).y],
    reduction: 36,
    step: 2 ** -7,
  };
}

/** The same points, through a convolution whose weights are the identity. */
function normalizeCase(residual: boolean, isRelu: boolean): GradientCase {
  const identityWeights = constant(
    'identity',
    [1, 1, 8, 8],
    Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : 0)),
  );
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
  return {
    inputs,
    apply: ({ x, factor, shift, residual }) => [affine(x, factor, shift, { residual, relu: isRelu })],
    step: 2 ** -8,
  };
}

function foldCase(outputs: readonly ('scale' | 'shift')[]): GradientCase {
  return {
    inputs: { gamma: samples([5], 1), beta: samples([5], 2) },
    apply: ({ gamma, beta }) => {
      const folded = foldBatchNorm(
        gamma,
        beta,
        vector('mean', [-1, 0.5, 0, 2, 0.1]),
        vector('variance', [0.5, 2, 1, 0.1, 4]),
        1e-5,
      );
      return outputs.map((name) => folded[name]);
    },
  };
}

function quadrupletCase(options: QuadrupletOptions): GradientCase {
  const labels = indices('labels', [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  const domains = indices('domains', [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const inputs = { x: samples([12, 6], 21) };
  return {
    inputs,
    apply: ({ x }) => [quadrupletLoss(l2Normalize(x), labels, domains, options).loss],
    reduction: 6,
    step: 2 ** -9,
  };
}

function contrastiveCase(options: ContrastiveOptions, count = 9): GradientCase {
  // The last item is the only one of its class.
  const labels = indices('labels', [0, 0, 0, 0, 1, 1, 1, 1, 2].slice(-count));
  const domains = indices('domains', [0, 1, 0, 1, 0, 1, 0, 1, 0].slice(-count));
  return {
    inputs: { x: samples([count, 6], 23) },
    apply: ({ x }) => [contrastiveLoss(l2Normalize(x), labels, domains, options)],
    reduction: 12,
    step: 2 ** -8,
  };
}

/** Distinct values an eighth apart in a shuffled order: no two can change places within a step. */
const separated = (shape: Shape): GradientCase['inputs'][string] => {
  const { values, ...rest } = samples(shape, 5);
  const order = [...values.keys()].sort((a, b) => values[a] - values[b] || a - b);
  order.forEach((element, rank) => (values[element] = (rank - order.length / 2) / 8));
  return { values, ...rest };
};

const rows = Object.values(functions) as PointwiseFunction[];

/** Points of a pointwise function between its kinks, from the ranges that it declares. */
function pointwiseCase(of: PointwiseFunction): GradientCase {
  const parameters = of.parameters ?? {};
  const step = 2 ** -6;
  const uniform = uniformNumbers(11);
  // `checkGradient` moves inputs by two steps at most, and multiplies them by 1.3.
  const distance = 2 * 1.3 * step;
  const drawn: number[][] = [];
  while (drawn.length < 30) {
    const point = of.operands.map((_, operand) => {
      const [low, high] = of.ranges?.[operand] ?? [-4, 4];
      const [from, to] = [Math.max(low, -2.5), Math.min(high, 2.5)];
      return Math.round((((from + to) / 2 + ((to - from) / 2) * uniform()) / 1.3) * 1024) / 1024;
    });
    const isSmooth = of.operands.every((_, operand) => {
      const [behind, here, ahead] = [-distance, 0, distance].map((moved) =>
        of.value(
          ...point.map((value, index) => 1.3 * value + (index === operand ? moved : 0)),
          ...Object.values(parameters),
        ),
      );
      const bend = Math.abs(ahead - 2 * here + behind);
      return bend <= 0.1 * (distance + Math.abs(ahead - behind));
    });
    if (isSmooth) drawn.push(point);
  }
  return {
    inputs: Object.fromEntries(
      of.operands.map((name, operand) => [
        name,
        { shape: [5, 6], values: Float32Array.from(drawn, (point) => point[operand]) },
      ]),
    ),
    apply: (inputs) => [
      pointwise(
        of,
        of.operands.map((name) => inputs[name]),
        parameters,
      ),
    ],
    // The functions have some roundings of their own.
    reduction: 12,
    step,
  };
}

/** A function that is declared outside of the table. */
const cube: PointwiseFunction = {
  name: 'cube',
  operands: ['x'],
  wgsl: 'x * x * x',
  value: (x) => x ** 3,
  error: (value) => 2 ** -22 * Math.abs(value),
  derivatives: [
    {
      function: {
        name: 'cubeGradient',
        operands: ['dy', 'x'],
        wgsl: '3.0 * dy * x * x',
        value: (dy, x) => 3 * dy * x * x,
        error: (value) => 2 ** -22 * Math.abs(value),
      },
      of: ['dy', 'x'],
    },
  ],
};

const folder = new URL('../../src/autodiff/ops/', import.meta.url);
const modules: readonly Readonly<Record<string, unknown>>[] = await Promise.all(
  readdirSync(folder).map((file) => import(new URL(file, folder).href)),
);

/** The examples that ops declare, at random points. */
const examples = modules
  .flatMap((module) => Object.entries((module.examples ?? {}) as OpExamples))
  .map(([name, { inputs, ...rest }]): [string, Readonly<Record<string, GradientCase>>] => {
    const points = Object.entries(inputs).map(([input, shape], index) => [input, samples(shape, index + 1)]);
    return [name, { 'its example': { inputs: Object.fromEntries(points) as GradientCase['inputs'], ...rest } }];
  });

/** By the name of the exported function, one or more points at which its gradient is checked. */
const checks: Readonly<Record<string, Readonly<Record<string, GradientCase>>>> = {
  ...Object.fromEntries(examples),
  ...Object.fromEntries(rows.map((row) => [row.name, { 'by its declaration': pointwiseCase(row) }])),
  pointwise: {
    "a function of one's own": {
      inputs: { x: samples([11], 1, awayFromZero) },
      apply: ({ x }) => [pointwise(cube, [x])],
    },
    'one tensor twice': {
      inputs: { a: samples([7], 1) },
      apply: ({ a }) => [add(a, a), multiply(a, a)],
    },
    'one number for each channel': {
      inputs: { a: samples([2, 3, 2, 4], 1), b: samples([4], 2) },
      apply: ({ a, b }) => [add(a, b)],
      reduction: 12,
    },
    'channels of each image': {
      inputs: { a: samples([2, 3, 2, 5], 1), b: samples([2, 1, 1, 5], 2) },
      apply: ({ a, b }) => [multiply(a, b)],
      reduction: 6,
    },
    'one number for all': {
      inputs: { a: samples([3, 5], 1), b: samples([1], 2, awayFromZero) },
      apply: ({ a, b }) => [divide(a, b)],
      reduction: 15,
      step: 2 ** -8,
    },
    'both operands': {
      inputs: { a: samples([3, 1, 4], 1), b: samples([5, 1], 2, (value) => value / 4 + 3) },
      apply: ({ a, b }) => [subtract(a, b), maximum(a, b)],
      reduction: 5,
    },
  },
  broadcastTo: {
    'new and unit axes': { inputs: { x: samples([3, 1, 2], 1) }, apply: ({ x }) => [broadcastTo(x, [2, 3, 4, 2])] },
  },
  sumTo: {
    'outer and inner axes': {
      inputs: { x: samples([3, 5, 2, 4], 1) },
      apply: ({ x }) => [sumTo(x, [5, 1, 4])],
      reduction: 6,
    },
    'all axes but one': { inputs: { x: samples([3, 5, 4], 1) }, apply: ({ x }) => [sumTo(x, [5, 1])], reduction: 12 },
    'all axes': { inputs: { x: samples([3, 7], 1) }, apply: ({ x }) => [sumTo(x, [1])], reduction: 21 },
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
  cast: {
    // Linear, so that a step may be large against the rounding.
    'to 16 bits and back': {
      inputs: { x: samples([40], 1) },
      apply: ({ x }) => [cast(cast(x, 'f16'), 'f32')],
      epsilon: 2 ** -11,
      step: 1,
    },
    'to what it is already': { inputs: { x: samples([7], 1) }, apply: ({ x }) => [cast(x, 'f32')] },
    'widened for an op without a 16-bit form': {
      inputs: { x: samples([40], 1) },
      apply: ({ x }) => [scale(cast(x, 'f16'), -2.5)],
      epsilon: 2 ** -11,
      step: 1,
    },
  },
  concatenate: {
    'three parts': {
      inputs: { a: samples([1, 5], 1), b: samples([3, 5], 2), c: samples([2, 5], 3) },
      apply: ({ a, b, c }) => [concatenate([a, b, c])],
    },
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
    'y alone': {
      ...convolutionCase([2, 5, 6, 4], 3, 4, {}),
      apply: ({ x, w }) => [convolutionWithStatistics(x, w, { stride: 2, padding: 1, epsilon: 1e-5 }).y],
    },
    'with batch normalization': {
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
  foldBatchNorm: {
    'scale and shift': foldCase(['scale', 'shift']),
    'the scale alone': foldCase(['scale']),
    'the shift alone': foldCase(['shift']),
  },
  l2Normalize: {
    rows: { inputs: { x: samples([4, 9], 1, awayFromZero) }, apply: ({ x }) => [l2Normalize(x)], reduction: 9 },
  },
  softmaxCrossEntropy: {
    labels: {
      inputs: { logits: samples([4, 7], 1) },
      apply: ({ logits }) => [softmaxCrossEntropy(logits, indices('labels', [0, 6, 3, 3]))],
      reduction: 28,
    },
    'a cosine classifier': {
      inputs: { x: samples([4, 6], 1, awayFromZero), w: samples([5, 6], 2, awayFromZero) },
      apply: ({ x, w }) => [
        softmaxCrossEntropy(linear(l2Normalize(x), transpose(l2Normalize(w))), indices('labels', [0, 4, 2, 2]), 0.25),
      ],
      reduction: 24,
    },
    'a margin on cosines and smoothed labels': {
      inputs: { x: samples([4, 6], 1, awayFromZero), w: samples([5, 6], 2, awayFromZero) },
      apply: ({ x, w }) => {
        const labels = indices('labels', [0, 4, 2, 2]);
        const cosines = linear(l2Normalize(x), transpose(l2Normalize(w)));
        return [
          softmaxCrossEntropy(
            add(cosines, oneHot(labels, 5, { on: -0.35 })),
            oneHot(labels, 5, { on: 0.92, off: 0.02 }),
            0.25,
          ),
        ];
      },
      reduction: 24,
    },
    'distributions at a temperature': {
      inputs: { logits: samples([3, 4], 1, (value) => 2 * value) },
      apply: ({ logits }) => [
        softmaxCrossEntropy(
          logits,
          constant('targets', [3, 4], Float32Array.of(0.25, 0.25, 0.25, 0.25, 0, 0.5, 0, 0.5, 0.125, 0.125, 0.5, 0.25)),
          2,
        ),
      ],
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
  contrastiveLoss: {
    'positives of the other domain': contrastiveCase({ temperature: 0.5 }),
    'positives of either domain': contrastiveCase({ temperature: 1, positives: 'any' }),
    'a low temperature': contrastiveCase({ temperature: 0.25, positives: 'any' }, 5),
  },
  maxPool: {
    'overlapping windows': {
      inputs: { x: separated([2, 5, 6, 4]) },
      apply: ({ x }) => [maxPool(x, { window: 3, stride: 2, padding: 1 })],
    },
    'windows side by side': {
      inputs: { x: separated([1, 4, 6, 3]) },
      apply: ({ x }) => [maxPool(x, { window: 2, stride: 2, padding: 0 })],
    },
  },
  selectRows: {
    'repeated and unused rows': {
      inputs: { table: samples([5, 4], 1) },
      apply: ({ table }) => [selectRows(table, indices('indices', [3, 0, 3, 3, 1]))],
    },
  },
  scatterRows: {
    'repeated and unused rows': {
      inputs: { rows: samples([5, 4], 1) },
      apply: ({ rows }) => [scatterRows(rows, indices('indices', [3, 0, 3, 3, 1]), fill([6, 4], 0))],
    },
  },
  scaleBy: {
    'a tensor': {
      inputs: { x: samples([11], 1), factor: samples([1], 2, awayFromZero) },
      apply: ({ x, factor }) => [scaleBy(x, factor)],
    },
  },
  dot: {
    'two tensors': {
      inputs: { a: samples([20], 1), b: samples([20], 2) },
      apply: ({ a, b }) => [dot(a, b)],
      reduction: 20,
    },
    'one tensor twice': { inputs: { a: samples([8], 1) }, apply: ({ a }) => [dot(a, a)], reduction: 8 },
  },
};

/** Ops that stand between a loss and its inputs without a gradient: asking for one is an error that names the op. */
const withoutGradient: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  convolutionWithEpilogue: (x) =>
    convolutionWithEpilogue(reshape(x, [1, 1, 1, 4]), fill([1, 1, 4, 4], 1), {
      scale: fill([4], 1),
      shift: fill([4], 0),
    }),
  pack: (x) => {
    const store = new ParameterStore('packed');
    store.add('x', [4]);
    return pack(new Map([['x', x]]), store);
  },
  softmax: (x) => softmax(reshape(x, [1, 4])).probabilities,
  topK: (x) => topK(reshape(x, [1, 4]), fill([3, 4], 1), 2).scores,
};

/** Sources of a graph, tests of finiteness, and effects at its end: nothing behind or before them to differentiate. */
const ends = [
  'fill',
  'oneHot',
  'prepareImages',
  'nonFinite',
  'lossScaleUpdate',
  'update',
  'interpolateUpdate',
  'movingAverageUpdate',
  'accumulate',
  'clear',
  'demand',
];

test('every op of src/autodiff/ops is checked, or is known to have no gradient', () => {
  // `cast` is in src/autodiff/op.ts, which inserts casts.
  const exported = ['cast'];
  for (const module of modules) {
    exported.push(
      ...Object.keys(module).filter((name) => typeof module[name] === 'function' && !(name in gradientRules)),
    );
  }
  const unnamed = rows.map(({ name }) => name).filter((name) => !(name in pointwiseOps));
  assert.equal(unnamed.sort(), ['broadcast', 'geluTanh'], 'rows without a public name of their own');
  assert.equal(
    [...exported, ...unnamed].sort(),
    [...Object.keys(checks), ...Object.keys(withoutGradient), ...ends].sort(),
  );
});

test('every gradient rule that an op names is in the table, and every rule of the table is named', () => {
  const named = readdirSync(folder).flatMap((file) =>
    [...readFileSync(new URL(file, folder), 'utf8').matchAll(/\bgradient: (?:\w+ && )?'(\w+)'/g)].map(
      ([, name]) => name,
    ),
  );
  assert.equal([...new Set(named)].sort(), Object.keys(gradientRules).sort());
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
    assert.throws(
      () => gradient(sum(build(x)), [x]),
      (error: Error) => error instanceof GradientError && error.message.startsWith(`${op} has no gradient`),
    );
  });
}

/** What an output of a node can be differentiated by, as its op declares it. */
const kindOf = ({ op: { gradient: rule, differentiableOutputs = [0] }, outputs }: GraphNode, index: number) =>
  outputs[index].type === 'u32'
    ? 'integer'
    : rule !== undefined && differentiableOutputs.includes(index)
      ? 'yes'
      : 'no';

/**
 * Float inputs, by index, that have no gradient although another input has one: constants of the op, or counted in
 * another input's gradient.
 */
const inputsWithout: Readonly<Record<string, readonly number[]>> = {
  foldBatchNorm: [2, 3],
  normalize: [3, 4],
  softmaxCrossEntropy: [1],
};

/** Ops whose gradient must be built of differentiable ops. Others may refuse second derivatives. */
const twiceDifferentiable = [
  ...rows
    .filter(({ derivatives = [] }) =>
      derivatives.every((one) => one === 'dy' || one.function.derivatives !== undefined),
    )
    .map(({ name }) => name),
  'broadcastTo',
  'sumTo',
  'cast',
  'dot',
  'identity',
  'mean',
  'reshape',
  'scaleBy',
  'scatterRows',
  'selectRows',
  'sum',
  'transpose',
];

/** The tensors that a case applies its op to. */
const givenTo = ({ inputs }: GradientCase): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, input(name, shape)]));

/** Every node that the cases, their gradients and the ops without one make. */
function allNodes(): GraphNode[] {
  const stored = (name: string, length = 64): Tensor => new ParameterStore(name).add(name, [length]);
  const x = input('x', [4]);
  const gate = nonFinite(stored('values'));
  const operands = {
    parameters: stored('parameters'),
    gradients: stored('gradients'),
    velocity: stored('velocity'),
    group: indices('group', [0]),
    groupSettings: fill([4], 1),
    hyper: fill([2], 1),
    gate,
  };
  const ends = [
    prepareImages({ count: 1, source: 8, size: 8, mean: [0, 0, 0], deviation: [1, 1, 1] } as never),
    lossScaleUpdate(gate, operands.groupSettings, {
      scale: stored('scale', 1),
      steps: stored('steps', 2),
      interval: 2,
    }),
    accumulate(stored('total', 4), x),
    oneHot(indices('labels', [1, 0]), 3),
    ...Object.values(withoutGradient).map((build) => build(x)),
  ];
  const updates = [
    update(momentumSgd, { count: 64, groups: 1, nesterov: false }, operands),
    interpolateUpdate(stored('running'), stored('batch'), 0.1, gate),
    movingAverageUpdate(stored('average'), stored('followed'), fill([1], 0.1), gate),
    clear(stored('cleared')),
    demand([x]),
  ];
  const tensors = Object.values(checks)
    .flatMap(Object.values)
    .flatMap((gradientCase: GradientCase) => {
      const given = givenTo(gradientCase);
      const outputs = gradientCase.apply(given);
      const loss = outputs.map((output) => sum(multiply(output, output))).reduce(add);
      return [loss, ...gradient(loss, Object.values(given))];
    });
  return [...nodesBefore([...tensors, ...ends]), ...updates];
}

const isRefused = (build: () => unknown, op: string): boolean => {
  try {
    build();
    return false;
  } catch (error) {
    assert.instance(error, GradientError);
    assert.ok((error as Error).message.includes(op), (error as Error).message);
    return true;
  }
};

test('every output of every op is differentiable, or is refused with an error that names op and output', () => {
  // The op that casts is in op.ts.
  const sources = [...readdirSync(folder), '../op.ts'].map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const declared = sources.flatMap((source) => [...source.matchAll(/: Op<.*> = \{$/gm)]).length;
  const names = sources.flatMap((source) => [...source.matchAll(/^ {2}name: '(\w+)',$/gm)].map(([, name]) => name));
  assert.is(names.length, declared, 'each op says its name on a line of its own');
  const ofTheTable = withDerivatives([...rows, cube]).map(({ name }) => name);

  const met = new Set<string>();
  for (const node of allNodes()) {
    const {
      op: { name },
      inputs,
      outputs,
    } = node;
    met.add(name);
    const floats = inputs.filter(({ type }) => type !== 'u32');
    for (const [index, output] of outputs.entries()) {
      const kind = kindOf(node, index);
      const where = `${name}, output ${index}`;
      if (kind === 'integer' || floats.length === 0) continue;
      const loss = sum(cast(output, 'f32'));
      if (kind === 'no')
        assert.ok(
          isRefused(() => gradient(loss, floats), name),
          where,
        );
      for (const [number, tensor] of inputs.entries()) {
        if (tensor.type === 'u32' || kind === 'no') continue;
        const without = inputsWithout[name]?.includes(number) === true;
        assert.is(
          isRefused(() => gradient(loss, [tensor]), without ? '' : name),
          without,
          `${where}, input ${number}`,
        );
      }
    }
  }
  const missing = [...names, ...ofTheTable].filter((name) => !met.has(name));
  assert.equal(missing, [], 'ops that no graph of this suite has');
});

test('each differentiable output is one that finite differences reach', () => {
  const reached = new Set<string>();
  for (const gradientCase of Object.values(checks).flatMap(Object.values) as GradientCase[]) {
    const outputs = gradientCase.apply(givenTo(gradientCase));
    const read = new Set([...outputs, ...nodesBefore(outputs).flatMap(({ inputs }) => inputs)]);
    for (const { op, outputs: made } of nodesBefore(outputs))
      made.forEach((output, index) => read.has(output) && reached.add(`${op.name} ${index}`));
  }
  const claimed = allNodes().flatMap((node) =>
    node.outputs.flatMap((_, index) => (kindOf(node, index) === 'yes' ? [`${node.op.name} ${index}`] : [])),
  );
  assert.equal(
    claimed.filter((output) => !reached.has(output)),
    [],
  );
});

for (const [op, cases] of Object.entries(checks)) {
  const [[title, gradientCase]] = Object.entries(cases);
  const twice: GradientCase['apply'] = (inputs) =>
    gradient(
      gradientCase
        .apply(inputs)
        .map((output) => sum(multiply(output, output)))
        .reduce(add),
      Object.values(inputs),
    );
  const second = (): Tensor[] => {
    const given = givenTo(gradientCase);
    return gradient(twice(given).map(sum).reduce(add), Object.values(given));
  };
  if (isRefused(second, '')) {
    test(`${op}: second derivatives are refused`, () => assert.not(twiceDifferentiable.includes(op)));
  } else {
    test(`${op}: second derivatives, ${title}`, async () => {
      // These are polynomials, for which a longer step keeps the rounding small. The rounding of a sum reaches all
      // elements of a gradient alike, so that the errors of `reduction` terms add up instead of averaging out.
      const point = { step: 2 ** -4, ...gradientCase, reduction: (gradientCase.reduction ?? 1) ** 2 };
      const worst = await checkGradient(await testDevice(), { ...point, apply: twice });
      assert.ok(worst <= 1, `${worst} times the tolerance`);
    });
  }
}

test('an output that an op does not declare differentiable is refused', () => {
  const pair: Op<null> = {
    name: 'pair',
    infer: ([x]) => [{ shape: x.shape }, { shape: x.shape, name: 'second' }],
    lower: () => [],
    gradient: (_, [dfirst]) => [dfirst],
  };
  const x = input('x', [3]);
  const [first, second] = apply(pair, [x], null);
  assert.throws(
    () => gradient(sum(add(first, second)), [x]),
    (error: Error) =>
      error instanceof GradientError && error.message.startsWith('pair has no gradient for its output second [3]'),
  );
});

test('an input for which a rule returns nothing is refused, not left out of the sum', () => {
  const half: Op<null> = {
    name: 'half',
    infer: ([x]) => [{ shape: x.shape }],
    lower: () => [],
    gradient: (_, [dy]) => [dy],
  };
  const x = input('x', [3]);
  assert.throws(
    () => gradient(sum(applyNode(half, [x, scale(x, 2)], null).outputs[0]), [x]),
    (error: Error) =>
      error instanceof GradientError && error.message.startsWith('half has no gradient for its input scale [3]'),
  );
});

test('normalize with statistics of another tensor is refused', () => {
  const x = input('x', [3, 4]);
  const statistics = { mean: input('mean', [4]), inverseDeviation: input('inverse deviation', [4]) };
  assert.throws(
    () => gradient(sum(normalize(x, statistics, fill([4], 1), fill([4], 0))), [x]),
    (error: Error) =>
      error instanceof GradientError && error.message.startsWith('normalize has no gradient with mean [4]'),
  );
});

/** Doubles, with a gradient rule that the test chooses. */
function doubling(gradientRule: (dy: Tensor) => Tensor): (x: Tensor) => Tensor {
  const op: Op<null> = {
    name: 'doubling',
    infer: ([x]) => [{ shape: x.shape }],
    lower: ({ inputs: [values], outputs: [scaled] }) => [
      use(
        pointwiseKernel(functions.scale),
        { count: values.length, parameters: { factor: 2 } },
        { x: values, result: scaled },
      ),
    ],
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
    await checkGradient(await testDevice(), {
      inputs: { x: { shape: [1], values: Float32Array.of(1 / 128) } },
      apply: ({ x }) => [scale(relu(x), 8)],
    });
  } catch (error) {
    caught = error;
  }
  assert.instance(caught, GradientCheckError);
});

test.run();
