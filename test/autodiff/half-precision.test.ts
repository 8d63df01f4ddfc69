import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tuningKey, type Choices, type VariantSelector } from '../../src/autodiff/variant-selector.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { add, multiply, relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { affine } from '../../src/autodiff/ops/affine.ts';
import { normalize } from '../../src/autodiff/ops/batch-norm.ts';
import { cast } from '../../src/autodiff/op.ts';
import { convolution, convolutionWithEpilogue, convolutionWithStatistics } from '../../src/autodiff/ops/convolution.ts';
import { identity } from '../../src/autodiff/ops/identity.ts';
import { l2Normalize } from '../../src/autodiff/ops/l2-normalize.ts';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { globalAveragePool, maxPool } from '../../src/autodiff/ops/pooling.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { reshape } from '../../src/autodiff/ops/reshape.ts';
import { plan, type PlanOptions } from '../../src/autodiff/plan.ts';
import { Program, type ProgramOptions } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, type Shape, type Tensor } from '../../src/autodiff/tensor.ts';
import { FeatureError } from '../../src/gpu/errors.ts';
import { Network } from '../../src/nn/layers.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { countBuffers } from '../support/counted-buffers.ts';
import { testDevice } from '../support/device.ts';
import { awayFromZero, samples } from '../support/gradient-check.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

const device = await testDevice();
const { traits } = device;

/** Half the distance between neighboring binary16 numbers, relative: one rounding. */
const HALF_EPSILON = 2 ** -11;
/**
 * Roundings that a gradient may have behind it here: of the op's result, of the gradient that arrives, of the op's
 * gradient, each at most HALF_EPSILON of the whole in the Euclidean norm, and as much again for sums in which terms
 * cancel.
 */
const ROUNDINGS = 6;

type Inputs = Readonly<Record<string, { readonly shape: Shape; readonly values: Float32Array }>>;

interface Case {
  /** x is stored as f16; all others are parameters. Values that 16 bits hold exactly. */
  readonly inputs: Inputs;
  readonly apply: (inputs: Readonly<Record<string, Tensor>>) => Tensor;
}

const image = samples([2, 6, 5, 8], 1, awayFromZero);
const vectors = { gamma: samples([8], 2, (value) => 1 + value / 4), beta: samples([8], 3, (value) => value / 4) };

/** Every op with a 16-bit form that has a gradient. */
const cases: Readonly<Record<string, Case>> = {
  add: { inputs: { x: image }, apply: ({ x }) => add(relu(x), x) },
  'add, one tensor twice': { inputs: { x: image }, apply: ({ x }) => add(x, x) },
  'add of both types': {
    inputs: { x: image, other: samples([2, 6, 5, 8], 4) },
    apply: ({ x, other }) => add(x, other),
  },
  affine: {
    inputs: { x: image, ...vectors },
    apply: ({ x, gamma, beta }) => affine(x, gamma, beta, { relu: true, residual: relu(x) }),
  },
  'convolution 3x3': {
    inputs: { x: image, w: samples([3, 3, 8, 12], 5, (value) => value / 2) },
    apply: ({ x, w }) => convolution(x, w, { stride: 2, padding: 1 }),
  },
  'convolution with padded channels': {
    inputs: { x: image, w: samples([1, 1, 8, 3], 6) },
    apply: ({ x, w }) => convolution(x, w),
  },
  'convolution, normalize': {
    inputs: { x: image, w: samples([3, 3, 8, 8], 7, (value) => value / 4), ...vectors },
    apply: ({ x, w, gamma, beta }) => {
      const { y, ...statistics } = convolutionWithStatistics(x, w, { padding: 1, epsilon: 1e-5 });
      return normalize(y, statistics, gamma, beta, { residual: x });
    },
  },
  identity: { inputs: { x: image }, apply: ({ x }) => identity(x) },
  relu: { inputs: { x: image }, apply: ({ x }) => relu(x) },
  maxPool: { inputs: { x: image }, apply: ({ x }) => maxPool(x, { window: 3, stride: 2, padding: 1 }) },
  globalAveragePool: { inputs: { x: image }, apply: ({ x }) => globalAveragePool(x) },
  reshape: { inputs: { x: image }, apply: ({ x }) => reshape(x, [4, 120]) },
  'an op without a 16-bit form': { inputs: { x: image }, apply: ({ x }) => l2Normalize(reshape(x, [12, 40])) },
};

/** Result and gradients of a case, the op in the middle of a graph as in test/support/gradient-check.ts. */
async function differentiate(
  { inputs, apply }: Case,
  type: 'f32' | 'f16',
): Promise<Readonly<Record<string, Float32Array>>> {
  const uniform = uniformNumbers(9);
  const given = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, input(name, shape)]));
  const x = cast(given.x, type);
  const y = apply({ ...given, x });
  const weights = constant('weights', y.shape, Float32Array.from({ length: y.length }, uniform));
  const loss = scale(add(sum(multiply(y, weights)), sum(multiply(y, y))), 0.7);
  const names = Object.keys(inputs);
  const gradients = gradient(
    loss,
    names.map((name) => given[name]),
  );
  for (const [index, name] of names.entries())
    assert.is(gradients[index].type, 'f32', `the gradient of ${name}, which is f32`);
  const program: Program = await Program.compile<string>(new DeviceStorage(device), {
    outputs: { y, ...Object.fromEntries(names.map((name, index) => [`d${name}`, gradients[index]])) },
  });
  try {
    return await program.run(Object.fromEntries(names.map((name) => [name, inputs[name].values])));
  } finally {
    program.destroy();
  }
}

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.map((value, i) => value - b[i])) / Math.hypot(...b);

interface Network16 {
  readonly storage: DeviceStorage;
  readonly options: ProgramOptions<string>;
  readonly feeds: Readonly<Record<string, Float32Array | Uint32Array>>;
}

/** Residual blocks in f16 between a cast and a loss, all its gradients and its update. */
async function smallNetwork(selector?: VariantSelector): Promise<Network16> {
  const network = new Network();
  const layer = (name: string, kernel: number, inputs: number, outputs: number) => ({
    w: network.convolutionWeight(`${name}.weight`, kernel, inputs, outputs),
    norm: network.batchNorm(`${name} norm`, outputs),
  });
  const [first, wide, shortcut] = [layer('first', 3, 4, 8), layer('wide', 1, 8, 32), layer('shortcut', 1, 8, 32)];
  // Activations enough that giving some up makes a difference.
  const deeper = [0, 1, 2, 3].map((index) => [layer(`${index} narrow`, 1, 32, 8), layer(`${index} wide`, 1, 8, 32)]);
  const linear = network.linear('linear', 32, 3);
  const pass = new ForwardContext(network, 'train');
  const hidden = pass.convolutionBatchNorm(cast(input('images', [8, 8, 8, 4]), 'f16'), first.w, first.norm, {
    padding: 1,
    relu: true,
  });
  const residual = pass.convolutionBatchNorm(hidden, shortcut.w, shortcut.norm);
  const wider = pass.convolutionBatchNorm(hidden, wide.w, wide.norm, { residual, relu: true });
  const block = deeper.reduce(
    (x, [down, up]) =>
      pass.convolutionBatchNorm(pass.convolutionBatchNorm(x, down.w, down.norm, { relu: true }), up.w, up.norm, {
        residual: x,
        relu: true,
      }),
    wider,
  );
  const pooled = maxPool(block, { window: 3, stride: 2, padding: 1 });
  const loss = softmaxCrossEntropy(linear.apply(globalAveragePool(pooled)), input('labels', [8], 'u32'));
  const names = [...network.parameters.entries.keys()];
  const computed = gradient(
    loss,
    names.map((name) => network.parameters.get(name)),
  );
  const update = trainingUpdate(network, loss, pass.batchStatistics, sgdSettings(0));
  const storage = new DeviceStorage(device, selector);
  await initializeNetwork(network, storage, 1);
  return {
    storage,
    options: {
      outputs: { loss, block, ...Object.fromEntries(names.map((name, index) => [name, computed[index]])) },
      updates: update.updates,
    },
    feeds: {
      images: Float32Array.from({ length: 8 * 8 * 8 * 4 }, uniformNumbers(5)),
      labels: Uint32Array.of(0, 1, 2, 0, 1, 2, 0, 1),
      ...update.feeds(0.1, 1),
    },
  };
}

const bitsOf = (results: Readonly<Record<string, Float32Array>>): Record<string, Uint32Array> =>
  Object.fromEntries(Object.entries(results).map(([name, { buffer }]) => [name, new Uint32Array(buffer)]));

if (traits.f16 === true) {
  for (const [title, one] of Object.entries(cases)) {
    test(`${title}: result and gradients in f16 are those in f32 but for their roundings`, async () => {
      const [half, single] = [await differentiate(one, 'f16'), await differentiate(one, 'f32')];
      for (const name of Object.keys(single)) {
        const found = distance(half[name], single[name]);
        assert.ok(found <= ROUNDINGS * HALF_EPSILON, `${name}: ${found / HALF_EPSILON} roundings away`);
      }
    });
  }

  test('an inference convolution stores y in f16, and the narrowed weights are kept from run to run', async () => {
    const network = new Network();
    const w = network.convolutionWeight('w', 3, 8, 8);
    const outputsOf = (type: 'f16' | 'f32'): Tensor => {
      const x = cast(input('x', [2, 6, 5, 8]), type);
      return convolutionWithEpilogue(
        x,
        w,
        {
          scale: constant('scale', [8], new Float32Array(8).fill(0.5)),
          shift: constant('shift', [8], new Float32Array(8).fill(1)),
          residual: x,
          relu: true,
        },
        { padding: 1 },
      );
    };
    const storage = new DeviceStorage(device);
    await initializeNetwork(network, storage, 1);
    const results = [];
    for (const type of ['f16', 'f32'] as const) {
      const y = outputsOf(type);
      assert.is(y.type, type);
      const program = await Program.compile(storage, { outputs: { y }, frozen: true });
      if (type === 'f16')
        assert.equal(
          program.plan.calls.slice(0, program.plan.frozenCalls).map(({ kernel }) => kernel.name),
          ['cast'],
        );
      results.push((await program.run({ x: image.values })).y);
      program.destroy();
    }
    assert.ok(distance(results[0], results[1]) <= 2 * HALF_EPSILON);
    storage.destroy();
  });

  test('a training step in f16: the predicted memory is what is allocated, byte by byte', async () => {
    const { storage, options, feeds } = await smallNetwork();
    for (const { store } of storesOf(options)) storage.buffer(store);
    const { result: program, made } = await countBuffers(device, async () => Program.compile(storage, options));
    assert.is(made, program.memory.total - program.memory.stores);
    await program.run(feeds);
    program.destroy();
    storage.destroy();
  });

  test('recomputed, and cut into slices, a training step in f16 has the bits of the plain one', async () => {
    let variants: Choices = new Map();
    const { storage, options, feeds } = await smallNetwork({ select: () => Promise.resolve(variants) });
    // Less than the activations of 32 channels, 32768 bytes.
    const sliced = await Program.compile(storage, { outputs: options.outputs, maxBindingBytes: 16384 });
    // What so small a limit rules out, the others do without, too.
    variants = new Map(
      sliced.plan.calls.map(({ kernel, problem, call }) => [tuningKey({ kernel, problem }), call.variant]),
    );
    const plain = await Program.compile(storage, { outputs: options.outputs });
    const least = await Program.compile(storage, { outputs: options.outputs, memoryBudget: 0.95 * plain.memory.total });
    assert.ok(least.plan.recomputed!.tensors > 0);
    assert.ok(sliced.plan.calls.some(({ call }) => call.dispatches.some(({ windows }) => windows !== undefined)));
    const { images, labels } = feeds;
    const expected = bitsOf(await plain.run({ images, labels }));
    for (const program of [least, sliced]) assert.equal(bitsOf(await program.run({ images, labels })), expected);
    for (const program of [plain, least, sliced]) program.destroy();
    storage.destroy();
  });

  test('what is not finite in f16 is found and named', async () => {
    const y = relu(cast(input('x', [3]), 'f16'));
    const program = await Program.compile(new DeviceStorage(device), { outputs: { y } });
    assert.equal(await program.findNonFinite({ x: Float32Array.of(1, 2, 1e5) }), {
      label: 'cast x',
      operand: 'cast',
      element: 2,
      value: Infinity,
    });
    assert.equal([...(await program.run({ x: Float32Array.of(1, -2, 3) })).y], [1, 0, 3]);
    program.destroy();
  });
} else {
  test('an adapter without 16-bit floats refuses, and names the kernel and the tensor', async () => {
    const y = relu(cast(input('x', [4]), 'f16'));
    let caught: unknown;
    await Program.compile(new DeviceStorage(device), { outputs: { y } }).catch((error: unknown) => (caught = error));
    assert.instance(caught, FeatureError);
    assert.match(String(caught), /relu: x \[4\] f16 .*shader-f16/);
  });
}

/** ResNet50 at full width, a step of 16 images of 64 x 64. */
function resnetPlan(type: 'f32' | 'f16', options: Partial<PlanOptions> = {}) {
  const network = new Classifier({ classes: 1000 });
  const { logits, batchStatistics } = network.apply(cast(input('images', [16, 64, 64, 4]), type), 'train');
  const loss = softmaxCrossEntropy(logits, input('labels', [16], 'u32'));
  const { updates } = trainingUpdate(network, loss, batchStatistics, sgdSettings(1e-4));
  const gpu = {
    kind: 'gpu',
    subgroupSize: 32,
    f16: true,
    maxWorkgroupInvocations: 256,
    maxWorkgroupStorageBytes: 32768,
    maxWorkgroupsPerDimension: 65535,
  } as const;
  return plan({ outputs: [loss], updates, traits: gpu, maxBufferBytes: 2 ** 31, ...options });
}

test('ResNet50 stores every activation of a step in f16, and its arena is little more than half', () => {
  const [half, single] = [resnetPlan('f16'), resnetPlan('f32')];
  // Larger than the features, which are f32 for the head's sake.
  const large = 16 * 2048;
  const inArena = half.calls.flatMap(({ kernel, call, places }) =>
    Object.entries(call.operands).flatMap(([name, { role, type, length }]) =>
      role !== 'scratch' && length > large && places[name].kind === 'arena'
        ? [{ type, what: `${kernel.name} ${name}` }]
        : [],
    ),
  );
  assert.ok(inArena.filter(({ type }) => type === 'f16').length > 500);
  assert.equal(
    inArena.filter(({ type }) => type === 'f32'),
    [],
  );
  assert.ok(half.arenaBytes < 0.6 * single.arenaBytes, `${half.arenaBytes} of ${single.arenaBytes} bytes`);
});

function storesOf({ outputs, updates = [] }: ProgramOptions<string>) {
  const { stores } = plan({ outputs: Object.values<Tensor>(outputs), updates, traits, maxBufferBytes: 2 ** 31 });
  return stores.map((store) => ({ store }));
}

test.run();
