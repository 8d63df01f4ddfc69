import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gradient } from '../../src/autodiff/gradient.ts';
import { MemoryBudgetError } from '../../src/autodiff/memory.ts';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { accumulate, demand } from '../../src/autodiff/ops/effects.ts';
import { multiply, relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { plan as planGraph, type Plan, type PlanOptions } from '../../src/autodiff/plan.ts';
import { recompute } from '../../src/autodiff/recompute.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input, ParameterStore, type Tensor } from '../../src/autodiff/tensor.ts';
import type { Device } from '../../src/gpu/device.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, type StateTensor } from '../../src/nn/state.ts';
import { modelChecksum } from '../../src/models/model-file.ts';
import { countBuffers } from '../support/counted-buffers.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

const plan = (options: PlanOptions): Plan => planGraph(options, recompute);

const traits = {
  kind: 'gpu',
  subgroupSize: 0,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16384,
  maxWorkgroupsPerDimension: 65535,
} as const;
const maxBufferBytes = 2 ** 31;
const BATCH = 4;
const SIZE = 32;
const CLASSES = 5;

/** A quarter-width ResNet50 with its update. */
function resnet(
  batch = BATCH,
  size = SIZE,
): {
  readonly network: Classifier;
  readonly loss: Tensor;
  readonly update: ReturnType<typeof trainingUpdate>;
  readonly options: PlanOptions;
} {
  const network = new Classifier({ width: 0.25, classes: CLASSES });
  const { logits, batchStatistics } = network.apply(input('images', [batch, size, size, 4]), 'train');
  const loss = softmaxCrossEntropy(logits, input('labels', [batch], 'u32'));
  const update = trainingUpdate(network, loss, batchStatistics, sgdSettings(1e-4));
  return {
    network,
    loss,
    update,
    options: { outputs: [loss, update.gate], updates: update.updates, traits, maxBufferBytes },
  };
}

/**
 * Follows a plan call by call with names for values, and tells what each call reads. A value is gone as soon as
 * anything is written over a part of it.
 */
function readingsOf({ calls }: Plan): Set<string> {
  const arena = new Map<number, { readonly end: number; readonly value: string }>();
  const readings = new Set<string>();
  for (const { call, places, label, node } of calls) {
    const operands = Object.entries(call.operands).map(([name, operand]) => ({
      name,
      ...operand,
      place: places[name],
    }));
    const read = operands
      .filter(({ role }) => role === 'input' || role === 'inout')
      .map(({ place }) => {
        if (place.kind === 'arena') return arena.get(place.offset)?.value ?? 'something lost';
        return place.kind === 'given' ? place.tensor.name : `${place.store.name} ${place.offset}`;
      });
    for (const { role, name, place } of operands) {
      if (place.kind !== 'arena' || (role !== 'output' && role !== 'scratch')) continue;
      const end = place.offset + place.bytes;
      for (const [offset, other] of arena) if (offset < end && place.offset < other.end) arena.delete(offset);
      arena.set(place.offset, {
        end,
        value: role === 'scratch' ? 'scratch' : `${node.op.name} ${node.outputs[0].id} ${name}`,
      });
    }
    readings.add(`${label.replace(/ again$/, '')} ${node.outputs[0]?.id}: ${read.join(', ')}`);
  }
  return readings;
}

test('an arena that fits is left as it is', () => {
  const { options } = resnet();
  const whole = plan(options);
  const same = plan({ ...options, arenaBudget: whole.arenaBytes });
  assert.is(same.recomputed, undefined);
  assert.is(same.arenaBytes, whole.arenaBytes);
  assert.is(same.calls.length, whole.calls.length);
});

test('the arena keeps to its budget, the smaller the dearer, and every call reads what it read before', () => {
  const { options } = resnet(16, 64);
  const whole = plan(options);
  const before = readingsOf(whole);
  for (const reading of before) assert.not.match(reading, 'something lost');
  let share = 0;
  for (const part of [0.9, 0.75, 0.5, 0.35]) {
    const planned = plan({ ...options, arenaBudget: part * whole.arenaBytes });
    assert.ok(
      planned.arenaBytes <= part * whole.arenaBytes,
      `${planned.arenaBytes} of ${whole.arenaBytes} bytes at ${part}`,
    );
    assert.ok(planned.recomputed!.tensors > 0);
    assert.is(
      planned.calls.filter(({ label }) => label.endsWith(' again')).length,
      planned.calls.length - whole.calls.length,
    );
    assert.ok(planned.recomputed!.share > share, 'a smaller arena costs more');
    share = planned.recomputed!.share;
    const after = readingsOf(planned);
    for (const reading of before) assert.ok(after.has(reading), `no call is "${reading}" any more`);
  }
  assert.ok(share < 0.3, `a third of the arena costs ${share} of the step`);
});

test('the least arena is what a budget of nothing gives, and fits as a budget itself', () => {
  const { options } = resnet(16, 64);
  const least = plan({ ...options, arenaBudget: 0 });
  assert.ok(least.arenaBytes < 0.35 * plan(options).arenaBytes);
  assert.is(plan({ ...options, arenaBudget: least.arenaBytes }).arenaBytes, least.arenaBytes);
});

test('a convolution is computed again without its statistics: those that updates use come from the first time', () => {
  const { options } = resnet(16, 64);
  const { calls } = plan({ ...options, arenaBudget: 0 });
  const again = calls.filter(({ label }) => /^convolution_statistics .* again$/.test(label));
  assert.ok(again.length > 10);
  for (const { call } of again) {
    assert.not.ok(call.dispatches.some(({ operands }) => operands.includes('mean')));
    assert.equal(
      Object.entries(call.operands).flatMap(([name, { role }]) => (role === 'output' ? [name] : [])),
      ['y'],
    );
  }
});

test('a chain needs the square root of its length: checkpoints, and one stretch between two of them', () => {
  const LENGTH = 64;
  const x = input('x', [256]);
  let y: Tensor = relu(x);
  for (let i = 1; i < LENGTH; i++) y = relu(y);
  const [dx] = gradient(sum(y), [x]);
  const options = { outputs: [dx], updates: [], traits, maxBufferBytes };
  const tensors = (planned: Plan): number => planned.liveBytes / 1024;
  assert.ok(tensors(plan(options)) > LENGTH);
  const least = plan({ ...options, arenaBudget: 0 });
  assert.ok(tensors(least) <= 2 * Math.sqrt(LENGTH) + 4, `${tensors(least)} tensors`);
  assert.ok(least.recomputed!.tensors <= LENGTH);
});

test('where nothing waits for a backward pass, nothing can be given up', () => {
  let x: Tensor = input('x', [256]);
  for (let i = 0; i < 5; i++) x = scale(x, 2);
  const options = { outputs: [x], updates: [], traits, maxBufferBytes };
  const least = plan({ ...options, arenaBudget: 0 });
  assert.is(least.recomputed, undefined);
  assert.is(least.arenaBytes, plan(options).arenaBytes);
});

test('what comes out of a store that changes in between is not computed again', () => {
  const again = (changes: boolean): string[] => {
    const store = new ParameterStore('weights');
    store.add('w', [4096]);
    const other = store.like('other');
    let y: Tensor = scale(store.get('w'), 3);
    for (let i = 0; i < 8; i++) y = relu(y);
    // A change as soon as the loss is there, which is before the backward pass.
    const loss = sum(y);
    const changed = accumulate((changes ? store : other).get('w'), scale(y, 0.5));
    const [dw] = gradient(sum(multiply(y, relu(scale(y, 2)))), [store.get('w')]);
    const { calls } = plan({
      outputs: [dw, loss],
      updates: [demand([changed])],
      traits,
      maxBufferBytes,
      arenaBudget: 0,
    });
    return calls.flatMap(({ label }) => (label.endsWith(' again') ? [label] : []));
  };
  assert.ok(again(false).includes('scale again'));
  assert.not.ok(again(true).includes('scale again'));
});

interface Trained {
  readonly program: Program<'loss' | 'gate'>;
  readonly bytes: number;
  readonly losses: readonly number[];
  /** Digest of parameters, running statistics and moments. */
  readonly digest: string;
}

/** Three steps from one seed. */
async function train(device: Device, memoryBudget?: number): Promise<Trained> {
  const { network, loss, update } = resnet();
  const storage = new DeviceStorage(device);
  try {
    const { made: bytes, result: program } = await countBuffers(device, () =>
      Program.compile(storage, { outputs: { loss, gate: update.gate }, updates: update.updates, memoryBudget }),
    );
    await initializeNetwork(network, storage, 3);
    const uniform = uniformNumbers(4);
    const images = Float32Array.from({ length: BATCH * SIZE * SIZE * 4 }, uniform);
    const labels = Uint32Array.from({ length: BATCH }, (_, index) => index % CLASSES);
    const losses: number[] = [];
    for (let step = 1; step <= 3; step++)
      losses.push((await program.run({ images, labels, ...update.feeds(0.05, step) })).loss[0]);
    const stores = [network.parameters, network.statistics, ...update.moments];
    const state = new Map(
      await Promise.all(
        stores.map(async (store): Promise<[string, StateTensor]> => [
          store.name,
          { shape: [store.length], values: await storage.read(store.flat) },
        ]),
      ),
    );
    program.destroy();
    return { program, bytes, losses, digest: await modelChecksum(state) };
  } finally {
    storage.destroy();
  }
}

async function refusal(work: Promise<unknown>): Promise<MemoryBudgetError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, MemoryBudgetError);
  return error as MemoryBudgetError;
}

test('training under a budget gives the very bits of training without one; the predicted memory is what is allocated', async () => {
  const device = await testDevice();
  const free = await train(device);
  const { arena, total } = free.program.memory;
  assert.is(free.bytes, total);
  assert.is(free.program.plan.recomputed, undefined);
  assert.is(new Set(free.losses).size, 3, 'the loss moves');
  const { minimum } = await refusal(train(device, 0));
  for (const budget of [total - 0.4 * arena, minimum]) {
    const { program, bytes, losses, digest } = await train(device, budget);
    assert.ok(program.plan.recomputed!.tensors > 0);
    assert.is(bytes, program.memory.total);
    assert.ok(bytes <= budget, `${bytes} bytes of ${budget}`);
    assert.equal(losses, free.losses);
    assert.is(digest, free.digest);
  }
});

test('a budget below the minimum is refused with the minimum, before anything is allocated', async () => {
  const device = await testDevice();
  const { made, result: error } = await countBuffers(device, () => refusal(train(device, 1e6)));
  assert.is(made, 0);
  assert.match(
    error.message,
    /a memory budget of 1\.0 MB is too small: the minimum here is \d+ bytes \(\d+\.\d MB\)\. /,
  );
  assert.ok((await refusal(train(device, error.minimum - 1))).minimum === error.minimum);
});

test.run();
