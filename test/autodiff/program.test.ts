import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { QUADRUPLET_STATISTICS } from '../../kernels/loss/quadruplet-loss.ts';
import { quadrupletLoss } from '../../src/autodiff/ops/losses.ts';
import { multiply, relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { scaleBy } from '../../src/autodiff/ops/scale.ts';
import { reshape } from '../../src/autodiff/ops/reshape.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { Program, type Feeds, type Results } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, ShapeError, ParameterStore } from '../../src/autodiff/tensor.ts';
import { DeviceLostError } from '../../src/gpu/errors.ts';
import { Network } from '../../src/nn/layers.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';
import { smallTraining, type SmallTraining } from '../support/small-network.ts';

const bitsOf = (values: Float32Array): number[] => [
  ...new Uint32Array(values.buffer, values.byteOffset, values.length),
];

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, Error);
    return error as Error;
  }
  return assert.unreachable('it should have failed') as never;
}

/** Everything of a training that lasts: parameters, running statistics, moments. */
async function stateBits({ network, storage, update }: SmallTraining): Promise<number[]> {
  const bits: number[] = [];
  for (const store of [network.parameters, network.statistics, ...update.moments])
    bits.push(...bitsOf(await storage.read(store.flat)));
  return bits;
}

test('a step after the first makes no buffer, pipeline, bind group, query set or anything else on the device', async () => {
  const device = await testDevice();
  const { program, feeds } = await smallTraining(device);
  await program.run(feeds(1));

  const { gpu } = device;
  const made: string[] = [];
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(gpu) as object).filter((name) =>
    /^create/.test(name),
  ) as 'createBuffer'[];
  for (const name of methods) {
    Object.defineProperty(gpu, name, {
      configurable: true,
      value: (...parameters: [GPUBufferDescriptor]) => {
        made.push(name);
        return (Object.getPrototypeOf(gpu) as GPUDevice)[name].apply(gpu, parameters);
      },
    });
  }
  try {
    for (let step = 2; step < 7; step++) await program.run(feeds(step));
    const inFlight = await Promise.all(
      [7, 8, 9, 10, 11].map(async (step) => (await program.submit(feeds(step))).results),
    );
    assert.is(inFlight.length, 5);
    // An encoder is spent by its step; all else is kept.
    assert.equal(made, new Array(10).fill('createCommandEncoder'));
    // The wrapping works: a buffer would have been seen.
    gpu.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy();
    assert.is(made.at(-1), 'createBuffer');
  } finally {
    for (const name of methods) Reflect.deleteProperty(gpu, name);
    program.destroy();
  }
});

test('two runs from one seed are equal to the last bit, results and state', async () => {
  const device = await testDevice();
  const runs = await Promise.all(
    [0, 1].map(async () => {
      const training = await smallTraining(device, 5);
      const losses: number[] = [];
      for (let step = 1; step <= 5; step++)
        losses.push(...bitsOf((await training.program.run(training.feeds(step))).loss));
      const state = await stateBits(training);
      training.program.destroy();
      training.storage.destroy();
      return { losses, state };
    }),
  );
  assert.equal(runs[0], runs[1]);
  assert.is(new Set(runs[0].losses).size, 5, 'the loss moves');
});

test('runs in flight give their own results, in order, whether or not the caller waits for its turn', async () => {
  const factor = input('factor', [1]);
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { scaled: scaleBy(constant('two', [3], Float32Array.of(2, 4, 8)), factor) },
  });
  const pending: Promise<Results<'scaled'>>[] = [];
  for (let step = 0; step < 20; step++) pending.push((await program.submit({ factor: Float32Array.of(step) })).results);
  const found = await Promise.all(pending);
  found.forEach(({ scaled }, step) => assert.equal([...scaled], [2 * step, 4 * step, 8 * step]));
  const atOnce = await Promise.all(
    Array.from({ length: 20 }, (_, step) => program.run({ factor: Float32Array.of(step) })),
  );
  assert.equal(atOnce, found);
  program.destroy();
});

test('one tensor for two operands, views as inputs and as outputs', async () => {
  const x = input('x', [2, 3]);
  const view = reshape(x, [6]);
  const squares = multiply(x, x);
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { squares, flat: reshape(squares, [6]), total: sum(multiply(view, reshape(x, [6]))), given: view },
  });
  const { squares: found, flat, total, given } = await program.run({ x: Float32Array.of(1, -2, 3, -4, 5, -6) });
  assert.equal([...found], [1, 4, 9, 16, 25, 36]);
  assert.equal([...flat], [...found]);
  assert.equal([...total], [91]);
  assert.equal([...given], [1, -2, 3, -4, 5, -6]);
  program.destroy();
});

test('one tensor of integers for two operands gives the bits of two tensors of the same values', async () => {
  const [count, width] = [7, 5];
  const x = input('x', [count, width]);
  const [both, labels, domains] = ['both', 'labels', 'domains'].map((name) => input(name, [count], 'u32'));
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { one: quadrupletLoss(x, both, both).statistics, two: quadrupletLoss(x, labels, domains).statistics },
  });
  const values = Uint32Array.from([0, 1, 1, 0, 1, 0, 0]);
  const { one, two } = await program.run({
    x: Float32Array.from({ length: count * width }, (_, i) => Math.sin(7 * i)),
    both: values,
    labels: values,
    domains: values,
  });
  assert.ok(one[QUADRUPLET_STATISTICS.indexOf('domain gap')] > 0, 'both domains are seen');
  assert.equal(one, two);
  program.destroy();
});

test('feeds that do not fit are refused before anything runs, by the name of the input', async () => {
  const { program, images, labels, feeds } = await smallTraining(await testDevice());
  const { optimizer } = feeds(1);
  const refused = async (wrong: Feeds, message: RegExp): Promise<void> => {
    const error = await rejection(program.run(wrong));
    assert.instance(error, ShapeError);
    assert.match(error.message, message);
  };
  await refused({ images, labels }, /no value was given for input optimizer \[8\]/);
  await refused({ images: images.subarray(1), labels, optimizer }, /input images \[6, 5, 5, 4\] was given 599 values/);
  await refused(
    { images, labels: Float32Array.from(labels), optimizer },
    /input labels \[6\] u32 holds u32, but was given a Float32Array/,
  );
  await refused(
    { images: new Uint32Array(600), labels, optimizer },
    /input images .* holds f32, but was given a Uint32Array/,
  );
  await refused({ images, labels: new Uint8Array(20), optimizer }, /input labels .* was given 20 bytes/);
  await refused({ images, labels, optimizer, image: images }, /no input called image; its inputs are .*images/);
  assert.ok(Number.isFinite((await program.run(feeds(1))).loss[0]), 'the program still runs');
  program.destroy();
});

test('two inputs of one name are refused', async () => {
  const error = await rejection(
    Program.compile(new DeviceStorage(await testDevice()), {
      outputs: { y: multiply(input('x', [2]), input('x', [2])) },
    }),
  );
  assert.instance(error, ShapeError);
  assert.match(error.message, 'two inputs are called x');
});

test('findNonFinite names the first call, its operand and the element', async () => {
  const x = input('x', [8]);
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { y: sum(relu(scale(scale(x, 2), 2 ** 126))) },
  });
  const small = new Float32Array(8).fill(1 / 16);
  assert.is(await program.findNonFinite({ x: small }), null);
  const large = small.slice();
  large[5] = 2;
  assert.equal(await program.findNonFinite({ x: large }), {
    label: 'scale',
    operand: 'result',
    element: 5,
    value: Infinity,
  });
  const undefinedElement = small.slice();
  undefinedElement[3] = NaN;
  const found = await program.findNonFinite({ x: undefinedElement });
  assert.is(found?.element, 3);
  assert.ok(Number.isNaN(found?.value));
  program.destroy();
});

test('findNonFinite changes neither parameters nor statistics', async () => {
  const training = await smallTraining(await testDevice());
  const before = await stateBits(training);
  assert.is(await training.program.findNonFinite(training.feeds(1)), null);
  assert.equal(await stateBits(training), before);
  training.program.destroy();
});

test('a gradient that is not finite leaves parameters, moments and statistics as they are, and is reported', async () => {
  for (const poison of [NaN, Infinity]) {
    const training = await smallTraining(await testDevice());
    await training.program.run(training.feeds(1));
    const before = await stateBits(training);
    const images = training.images.slice();
    images[17] = poison;
    const { gate } = await training.program.run({ ...training.feeds(2), images });
    assert.ok(bitsOf(gate)[0] > 0, 'the count of bad elements');
    assert.equal(await stateBits(training), before);
    const { gate: healthy, loss } = await training.program.run(training.feeds(2));
    assert.is(bitsOf(healthy)[0], 0);
    assert.ok(Number.isFinite(loss[0]), 'the next step is well again');
    assert.not.equal(await stateBits(training), before);
    training.program.destroy();
    training.storage.destroy();
  }
});

test('a profile has a span for each dispatch', async () => {
  const { program, feeds } = await smallTraining(await testDevice());
  const spans = await program.profile(feeds(1));
  assert.is(spans.length, program.size.dispatches);
  assert.ok(spans.every(({ duration }) => duration >= 0));
  program.destroy();
});

test('the loss of the device in the middle of steps is a DeviceLostError, never an invented result', async () => {
  const expected: number[][] = [];
  const healthy = await smallTraining(await testDevice());
  for (let step = 1; step <= 4; step++) expected.push(bitsOf((await healthy.program.run(healthy.feeds(step))).logits));
  healthy.program.destroy();
  healthy.storage.destroy();

  const uniform = uniformNumbers(3);
  let lost = 0;
  for (let trial = 0; trial < 8; trial++) {
    const device = await openDevice();
    const training = await smallTraining(device);
    const moment = Math.floor((uniform() + 1) * 4);
    const outcomes: Promise<void>[] = [];
    const check = (step: number, outcome: PromiseSettledResult<Results<'logits'>>): void => {
      if (outcome.status === 'fulfilled')
        assert.equal(bitsOf(outcome.value.logits), expected[step - 1], `step ${step} of trial ${trial}`);
      else {
        lost++;
        assert.instance(outcome.reason, DeviceLostError, `step ${step} of trial ${trial}: ${outcome.reason}`);
      }
    };
    for (let step = 1; step <= 4; step++) {
      if (2 * step - 1 === moment) device.gpu.destroy();
      const submitted = training.program.submit(training.feeds(step)).then(({ results }) => results);
      outcomes.push(Promise.allSettled([submitted]).then(([outcome]) => check(step, outcome)));
      if (2 * step === moment) device.gpu.destroy();
      if (uniform() < 0) await outcomes.at(-1);
    }
    device.gpu.destroy();
    await Promise.all(outcomes);
    // From here on everything fails with the same error.
    for (const attempt of [
      () => training.program.run(training.feeds(5)),
      () => training.storage.read(training.network.parameters.flat),
      () => smallTraining(device),
    ]) {
      assert.instance(await rejection(attempt()), DeviceLostError);
    }
  }
  assert.ok(lost > 0, 'no trial lost its device in time');
});

test('the graph outlives the device: a program is compiled anew on the next one', async () => {
  const store = new ParameterStore('kept');
  const y = scale(store.add('x', [2]), 3);
  const results: number[][] = [];
  for (let attempt = 0; attempt < 2; attempt++) {
    const device = await openDevice();
    const storage = new DeviceStorage(device);
    const program = await Program.compile(storage, { outputs: { y } });
    storage.write(store.get('x'), Float32Array.of(1, attempt));
    results.push([...(await program.run({})).y]);
    device.dispose();
  }
  assert.equal(results, [
    [3, 0],
    [3, 3],
  ]);
});

test('a frozen program keeps what depends on stored tensors alone, until it is refreshed', async () => {
  const device = await testDevice();
  const storage = new DeviceStorage(device);
  const network = new Network();
  // As many pixels as make the same of Winograd's variants the first on both software adapters, whether its weights are
  // prepacked or not.
  const weight = network.convolutionWeight('weight', 3, 64, 64);
  const norm = network.batchNorm('norm', 64);
  const pass = new ForwardContext(network, 'eval');
  const hidden = pass.convolutionBatchNorm(input('images', [6, 16, 16, 64]), weight, norm, { padding: 1, relu: true });
  const outputs = { y: pass.convolutionBatchNorm(hidden, weight, norm, { padding: 1 }), scaled: scale(weight, 2) };
  await initializeNetwork(network, storage, 1);
  const uniform = uniformNumbers(1);
  const feeds = { images: Float32Array.from({ length: 6 * 16 * 16 * 64 }, uniform) };
  const plain = await Program.compile(storage, { outputs });
  const frozen = await Program.compile(storage, { outputs, frozen: true });
  const results = async (program: typeof plain): Promise<number[]> =>
    Object.values(await program.run(feeds)).flatMap(bitsOf);

  const before = await results(plain);
  assert.equal(await results(frozen), before);
  assert.equal(await results(frozen), before, 'a run must not overwrite what is kept');
  // Two foldings of the norm, the scaled weights, and the weights' transforms of the adapters that prefer Winograd.
  assert.is(frozen.size.calls, 2);
  assert.ok(frozen.size.dispatches < plain.size.dispatches);
  assert.ok(frozen.memory.total >= plain.memory.total);

  for (const tensor of [weight, norm.gamma, norm.variance])
    storage.write(
      tensor,
      Float32Array.from({ length: tensor.length }, () => 1 + uniform() / 2),
    );
  const after = await results(plain);
  assert.not.equal(after, before);
  assert.equal(await results(frozen), before);
  frozen.refresh();
  assert.equal(await results(frozen), after);
  plain.destroy();
  frozen.destroy();
  storage.destroy();
});

test('a frozen program with updates is an error', async () => {
  const device = await testDevice();
  const { storage, update } = await smallTraining(device);
  assert.match(
    (await rejection(Program.compile(storage, { outputs: {}, updates: update.updates, frozen: true }))).message,
    /frozen program has updates/,
  );
});

test.run();
