import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeMemory, MemoryBudgetError, type MemoryReport } from '../../src/autodiff/memory.ts';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { globalAveragePool } from '../../src/autodiff/ops/pooling.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input } from '../../src/autodiff/tensor.ts';
import { identityTransforms, TRANSFORM_FLOATS } from '../../src/data/augmentation.ts';
import type { TrainingBatch } from '../../src/data/loader.ts';
import { Network } from '../../src/nn/layers.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { imageInput } from '../../src/models/image-input.ts';
import type { Objective } from '../../src/training/objective.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import { splitBatch } from '../../src/training/micro-batches.ts';
import { stepRunner } from '../../src/training/step-runner.ts';
import { NonFiniteError, Trainer, type StepReport } from '../../src/training/trainer.ts';
import { countBuffers } from '../support/counted-buffers.ts';
import { testDevice } from '../support/device.ts';
import { shapesDataset, TINY_TRAINING } from '../support/shapes-dataset.ts';

const BATCH = 4;
const SIZE = 24;
const CLASSES = 3;
const settings = sgdSettings(0);
const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Three convolutions whose activations are far larger than their weights, so that parts of a batch need less. */
class SmallClassifier extends Network {
  private readonly layers = [4, 8, 8].map((inputs, index) => ({
    weight: this.convolutionWeight(`convolution${index}`, 3, inputs, 8),
    norm: this.batchNorm(`norm${index}`, 8),
  }));
  private readonly head = this.linear('head', 8, CLASSES);

  objective(count: number): Objective {
    const pass = new ForwardContext(this, 'train');
    const convolved = this.layers.reduce(
      (x, { weight, norm }) => pass.convolutionBatchNorm(x, weight, norm, { padding: 1, relu: true }),
      imageInput({ count, sourceSize: SIZE, size: SIZE }),
    );
    return {
      network: this,
      loss: softmaxCrossEntropy(this.head.apply(globalAveragePool(convolved)), input('labels', [count], 'u32')),
      batchStatistics: pass.batchStatistics,
      reported: {},
      feeds: ({ images, transforms, labels }) => ({ images, transforms, labels }),
      count,
      ofCount: (fewer) => this.objective(fewer),
    };
  }
}

interface Setting {
  readonly network: SmallClassifier;
  readonly storage: DeviceStorage;
  readonly objective: Objective;
}

/** A small classifier with weights from a seed. */
async function setting(): Promise<Setting> {
  const network = new SmallClassifier();
  const storage = new DeviceStorage(await testDevice());
  await initializeNetwork(network, storage, 1);
  return { network, storage, objective: network.objective(BATCH) };
}

function batchOf(step: number): TrainingBatch {
  return {
    step,
    images: Uint8Array.from({ length: BATCH * SIZE * SIZE * 3 }, (_, index) => (index * index * (step + 3)) % 251),
    transforms: identityTransforms(BATCH, { sourceSize: SIZE, outputSize: SIZE }),
    domains: new Uint32Array(BATCH),
    labels: Uint32Array.from({ length: BATCH }, (_, index) => (index + step) % CLASSES),
  };
}

async function refusal(work: Promise<unknown>): Promise<MemoryBudgetError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, MemoryBudgetError);
  return error as MemoryBudgetError;
}

/** The largest budget that recomputation alone cannot keep to. */
async function belowWholeBatch({ storage, objective }: Setting): Promise<number> {
  return (
    (
      await refusal(
        stepRunner({ storage, objective: { ...objective, ofCount: undefined }, optimizer: settings, memoryBudget: 0 }),
      )
    ).minimum - 1
  );
}

/** What a run of its own gives for each half of a batch, weights staying as they are. */
async function halves(
  batch: TrainingBatch,
): Promise<{ readonly losses: number[]; readonly gradients: Float32Array[]; readonly statistics: Float32Array }> {
  const { network, storage, objective } = await setting();
  const half = objective.ofCount!(BATCH / 2);
  const update = trainingUpdate(network, half.loss, half.batchStatistics, settings);
  const program = await Program.compile(storage, { outputs: { loss: half.loss }, updates: update.updates });
  const losses: number[] = [];
  const gradients: Float32Array[] = [];
  for (const piece of splitBatch(batch, 2)) {
    losses.push((await program.run({ ...half.feeds(piece), ...update.feeds(0, 1) })).loss[0]);
    gradients.push(await storage.read(update.gradients.flat));
  }
  const statistics = await storage.read(network.statistics.flat);
  program.destroy();
  storage.destroy();
  return { losses, gradients, statistics };
}

test('a batch in two micro-batches: the gradient is the mean of theirs, the statistics follow one after the other, to the bit', async () => {
  const one = await setting();
  const { network, storage, objective } = one;
  const runner = await stepRunner({
    storage,
    objective,
    optimizer: settings,
    memoryBudget: await belowWholeBatch(one),
  });
  assert.is(runner.report.microBatches, 2);
  const batch = batchOf(0);
  const expected = await halves(batch);
  // Twice: a step leaves nothing behind for the next.
  for (let step = 1; step <= 2; step++) {
    await initializeNetwork(network, storage, 1);
    const { loss } = await (await runner.submit(batch, runner.update.feeds(0, step))).results;
    assert.is(loss[0], Math.fround((expected.losses[0] + expected.losses[1]) / 2));
    // Halving is exact, so that the order of sum and division does not matter.
    const [first, second] = expected.gradients;
    assert.equal(
      bitsOf(await storage.read(runner.update.gradients.flat)),
      bitsOf(first.map((value, index) => Math.fround(value / 2 + second[index] / 2))),
    );
    assert.equal(bitsOf(await storage.read(network.statistics.flat)), bitsOf(expected.statistics));
  }
  runner.destroy();
  storage.destroy();
});

test('as few micro-batches as fit; the predicted memory is what is allocated', async () => {
  const device = await testDevice();
  const least = (await refusal(stepRunner({ ...(await setting()), optimizer: settings, memoryBudget: 0 }))).minimum;
  for (const [memoryBudget, microBatches] of [
    [await belowWholeBatch(await setting()), 2],
    [least, BATCH],
  ] as const) {
    const { network, objective } = await setting();
    const { made: bytes, result: runner } = await countBuffers(device, async () =>
      stepRunner({ storage: new DeviceStorage(device), objective, optimizer: settings, memoryBudget }),
    );
    assert.is(runner.report.microBatches, microBatches);
    assert.is(bytes, runner.report.memory.total);
    assert.ok(bytes <= memoryBudget, `${bytes} of ${memoryBudget} bytes`);
    assert.ok(network.statistics.length > 0);
    runner.destroy();
  }
});

async function* steps(batches: readonly TrainingBatch[]): AsyncGenerator<TrainingBatch, void, undefined> {
  yield* batches;
}

async function trainer(one: Setting, memoryBudget: number): Promise<Trainer> {
  return Trainer.create({
    ...one,
    optimizer: settings,
    memoryBudget,
    steps: 5,
    schedule: { learningRate: 0.05, warmupSteps: 0, decay: 'constant', final: 1 },
  });
}

test('training in micro-batches learns, and is the same each time', async () => {
  const runs = await Promise.all(
    [0, 1].map(async () => {
      const one = await setting();
      const training = await trainer(one, await belowWholeBatch(one));
      const reports: StepReport[] = [];
      await training.train(
        steps([0, 1, 2, 3, 4].map((step) => ({ ...batchOf(0), step }))),
        (report) => void reports.push(report),
      );
      const bits = bitsOf(await one.storage.read(one.network.parameters.flat));
      training.destroy();
      one.storage.destroy();
      return { losses: reports.map(({ loss }) => loss), bits };
    }),
  );
  assert.equal(runs[0], runs[1]);
  const { losses } = runs[0];
  assert.ok(losses[4] < losses[0], `losses ${losses.join(', ')}`);
});

test('one micro-batch that is not finite changes neither weights nor statistics, and its op is named', async () => {
  const one = await setting();
  const { network, storage } = one;
  const training = await trainer(one, await belowWholeBatch(one));
  const read = async (): Promise<Uint32Array[]> =>
    Promise.all(
      [network.parameters, network.statistics, ...training.update.moments].map(async (store) =>
        bitsOf(await storage.read(store.flat)),
      ),
    );
  await training.train(steps([batchOf(0)]), () => undefined);
  const before = await read();
  const bad = batchOf(1);
  // It is of the last image, so in the second micro-batch.
  bad.transforms.fill(NaN, bad.transforms.length - TRANSFORM_FLOATS);
  const error = await training
    .train(steps([bad]), () => undefined)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  assert.instance(error, NonFiniteError);
  assert.match((error as Error).message, /step 1: .*it begins in \w+/);
  assert.equal(await read(), before);
  await training.train(steps([batchOf(1)]), ({ loss }) => assert.ok(Number.isFinite(loss)));
  training.destroy();
  storage.destroy();
});

test('an objective that says of no way to split it is not split: the budget is refused with the minimum and the reason', async () => {
  const { storage, objective } = await setting();
  const { minimum, message } = await refusal(
    stepRunner({ storage, objective: { ...objective, ofCount: undefined }, optimizer: settings, memoryBudget: 1000 }),
  );
  assert.match(
    message,
    /a memory budget of 0\.0 MB is too small: the minimum here is \d+ bytes \(\d+\.\d MB\), for a loss that needs its whole batch at once/,
  );
  assert.ok(minimum > 1000);
  storage.destroy();
});

test('a whole run keeps to its budget, validation and checkpoints included, and ends with the weights of a run without one', async () => {
  const device = await testDevice();
  const run = async (
    memoryBudget?: number,
  ): Promise<{ readonly checksum: string; readonly report: MemoryReport; readonly alive: number[] }> => {
    const alive: number[] = [];
    let report: MemoryReport | undefined;
    const { result } = await countBuffers(device, (count) =>
      trainRetrieval({
        device,
        dataset: shapesDataset(),
        training: { ...TINY_TRAINING, steps: 2 },
        validateEvery: 1,
        memoryBudget,
        // Parts of a batch would add in another order.
        microBatches: 1,
        onLog: (entry) => {
          if (entry.event === 'start') report = entry.memory;
          if (entry.event === 'validation') alive.push(count.alive);
        },
      }),
    );
    result.model.storage.destroy();
    return { checksum: result.file.checksum, report: report!, alive };
  };
  const free = await run();
  assert.equal(free.alive, [free.report.memory.total, free.report.memory.total]);
  const { minimum } = await refusal(run(1));
  const tight = await run(minimum);
  assert.ok(tight.report.recomputed!.tensors > 0);
  assert.ok(tight.report.memory.total <= minimum && minimum < free.report.memory.total);
  assert.equal(tight.alive, [tight.report.memory.total, tight.report.memory.total]);
  assert.is(tight.checksum, free.checksum);
});

test('the report says in one line what was chosen and what it costs', () => {
  const memory = { arena: 320e6, given: 8e6, upload: 0, readback: 12, uniforms: 1e5, stores: 3e8, total: 628.1e6 };
  const recomputed = { tensors: 23, cost: { flop: 4.1e9, bytes: 1e9 }, share: 0.03 };
  assert.is(
    describeMemory({ memory, budget: undefined, recomputed: undefined, microBatches: 1, normalizedApart: false }),
    'device memory 628.1 MB: intermediates 320.0 MB, weights and state 300.0 MB',
  );
  assert.is(
    describeMemory({ memory, budget: 7e8, recomputed, microBatches: 2, normalizedApart: true }),
    'device memory 628.1 MB of 700.0 MB: intermediates 320.0 MB, weights and state 300.0 MB; 23 tensors recomputed (+8.2 GFLOP, +3.0 % of the step by the cost model), 2 micro-batches, each normalized by its own statistics',
  );
  assert.match(
    describeMemory({
      memory,
      budget: 7e8,
      recomputed: undefined,
      microBatches: 4,
      normalizedApart: false,
      encodedTwice: 0.31,
    }),
    /; 4 micro-batches, each encoded twice for the loss over the whole batch \(\+31\.0 % of the step by the cost model\)$/,
  );
});

test.run();
