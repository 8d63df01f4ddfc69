// A loss over the whole batch whose network sees the batch in micro-batches (docs/memory.md, Third choice).
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolutionWeightGradient } from '../../kernels/convolution/weight-gradient.ts';
import type { ConvolutionShape } from '../../kernels/convolution/problem.ts';
import { sumError } from '../../kernels/kernel.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { MemoryBudgetError } from '../../src/autodiff/memory.ts';
import { add } from '../../src/autodiff/ops/pointwise.ts';
import { l2Normalize } from '../../src/autodiff/ops/l2-normalize.ts';
import { contrastiveLoss } from '../../src/autodiff/ops/contrastive-loss.ts';
import { quadrupletLoss, softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { globalAveragePool } from '../../src/autodiff/ops/pooling.ts';
import { concatenate, selectRows } from '../../src/autodiff/ops/rows.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, type Tensor } from '../../src/autodiff/tensor.ts';
import type { TrainingBatch } from '../../src/data/loader.ts';
import { Network } from '../../src/nn/layers.ts';
import { ForwardContext, type BatchNormMode } from '../../src/nn/forward-context.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { CheckpointError } from '../../src/models/model-file.ts';
import type { EncodedObjective, Objective } from '../../src/training/objective.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import { interleaved } from '../../src/training/gradient-caching.ts';
import { MicroBatchError, stepRunner } from '../../src/training/step-runner.ts';
import type { StepRunner } from '../../src/training/step-programs.ts';
import { NonFiniteError, Trainer } from '../../src/training/trainer.ts';
import { countBuffers } from '../support/counted-buffers.ts';
import { testDevice } from '../support/device.ts';
import { assertWithin, uniformNumbers } from '../support/kernel-test.ts';
import { shapesDataset, TINY_TRAINING } from '../support/shapes-dataset.ts';

const BATCH = 8;
const SIZE = 12;
const CHANNELS = 8;
const WIDTH = 6;
const CLASSES = 2;
const settings = sgdSettings(0);
const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

/**
 * Two convolutions and an embedding; on it a quadruplet and a contrastive loss, which look for their negatives in the
 * whole batch, and a classifier.
 */
class SmallEncoder extends Network {
  private readonly layers = [4, CHANNELS].map((inputs, index) => ({
    weight: this.convolutionWeight(`convolution${index}`, 3, inputs, CHANNELS),
    norm: this.batchNorm(`norm${index}`, CHANNELS),
  }));
  private readonly embedding = this.linear('embedding', CHANNELS, WIDTH);
  private readonly classifier = this.linear('classifier', WIDTH, CLASSES);

  /** @param pixels [count, size, size, 4] @returns also what enters each layer with weights, and what leaves it */
  encode(pixels: Tensor, mode: BatchNormMode) {
    const pass = new ForwardContext(this, mode);
    const entering: Tensor[] = [];
    let x = pixels;
    for (const { weight, norm } of this.layers) {
      entering.push(x);
      x = pass.convolutionBatchNorm(x, weight, norm, { padding: 1, relu: true });
    }
    const pooled = globalAveragePool(x);
    return {
      encoded: this.embedding.apply(pooled),
      batchStatistics: pass.batchStatistics,
      entering: [...entering, pooled],
      last: x,
    };
  }

  loss(encoded: Tensor) {
    const labels = input('labels', [BATCH], 'u32');
    const domains = input('domains', [BATCH], 'u32');
    const embeddings = l2Normalize(encoded);
    const quadruplet = quadrupletLoss(embeddings, labels, domains, { margin: 0.5 });
    const contrastive = contrastiveLoss(embeddings, labels, domains, { temperature: 0.5 });
    const classification = softmaxCrossEntropy(this.classifier.apply(encoded), labels);
    return { loss: add(add(quadruplet.loss, contrastive), classification), quadruplet: quadruplet.loss };
  }

  objective(mode: BatchNormMode): Objective {
    const encode: EncodedObjective['encode'] = (count) => ({
      ...this.encode(input('pixels', [count, SIZE, SIZE, 4]), mode),
      feeds: ({ images }) => ({ pixels: pixelsOf(images) }),
    });
    const loss: EncodedObjective['loss'] = (encoded) => {
      const { loss: sum, quadruplet } = this.loss(encoded);
      return {
        loss: sum,
        reported: { quadruplet: { tensor: quadruplet, names: ['quadruplet'] } },
        feeds: ({ labels, domains }) => ({ labels, domains }),
      };
    };
    const whole = encode(BATCH);
    const ofWhole = loss(whole.encoded);
    return {
      network: this,
      count: BATCH,
      batchStatistics: whole.batchStatistics,
      ...ofWhole,
      feeds: (batch) => ({ ...whole.feeds(batch), ...ofWhole.feeds(batch) }),
      encoded: { encode, loss },
    };
  }
}

const pixelsOf = (images: Uint8Array): Float32Array => Float32Array.from(images, (value) => value / 128 - 1);

function batchOf(step: number): TrainingBatch {
  const uniform = uniformNumbers(step + 3);
  return {
    step,
    images: Uint8Array.from({ length: BATCH * SIZE * SIZE * 4 }, () => 128 * (uniform() + 1)),
    transforms: new Float32Array(BATCH),
    // Sketches first, then photos, class by class.
    domains: Uint32Array.from({ length: BATCH }, (_, index) => Number(index >= BATCH / 2)),
    labels: Uint32Array.from({ length: BATCH }, (_, index) => (index >> 1) % CLASSES),
  };
}

interface Setting {
  readonly network: SmallEncoder;
  readonly storage: DeviceStorage;
  readonly objective: Objective;
}

async function setting(mode: BatchNormMode): Promise<Setting> {
  const network = new SmallEncoder();
  const storage = new DeviceStorage(await testDevice());
  await initializeNetwork(network, storage, 1);
  return { network, storage, objective: network.objective(mode) };
}

async function minimumOf(work: Promise<unknown>): Promise<number> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, MemoryBudgetError);
  return (error as MemoryBudgetError).minimum;
}

/** A runner with as few parts as do not fit whole, or, for the least budget, with as many as there are images. */
async function runnerInParts({ storage, objective }: Setting, budget: 'below whole' | 'least'): Promise<StepRunner> {
  const options = { storage, optimizer: settings };
  const memoryBudget =
    budget === 'least'
      ? await minimumOf(stepRunner({ ...options, objective, memoryBudget: 0 }))
      : (await minimumOf(
          stepRunner({ ...options, objective: { ...objective, encoded: undefined }, memoryBudget: 0 }),
        )) - 1;
  return stepRunner({ ...options, objective, memoryBudget });
}

test('two micro-batches have the bits of a graph that encodes the same halves and meets in the loss', async () => {
  const one = await setting('train');
  const { network, storage } = one;
  const runner = await runnerInParts(one, 'below whole');
  assert.is(runner.report.microBatches, 2);
  assert.ok(runner.report.normalizedApart);
  const batch = batchOf(0);
  const halves = interleaved(batch, 2);

  // The same in one program, without a cache: the chain rule by `gradient` alone.
  const encoded = halves.map(
    (_, index) => network.encode(input(`half ${index}`, [BATCH / 2, SIZE, SIZE, 4]), 'train').encoded,
  );
  const place = halves.flatMap(({ rows }) => [...rows]);
  const order = Uint32Array.from(place.keys(), (image) => place.indexOf(image));
  const { loss } = network.loss(selectRows(concatenate(encoded), constant('order', [BATCH], order)));
  const names = [...network.parameters.entries.keys()];
  const gradients = gradient(
    loss,
    names.map((name) => network.parameters.get(name)),
  );
  const program = await Program.compile<string>(storage, {
    outputs: { loss, ...Object.fromEntries(names.map((name, index) => [name, gradients[index]])) },
  });
  const expected = await program.run({
    'half 0': pixelsOf(halves[0].piece.images),
    'half 1': pixelsOf(halves[1].piece.images),
    labels: batch.labels,
    domains: batch.domains,
  });

  // Twice: a step leaves nothing behind for the next.
  for (let step = 1; step <= 2; step++) {
    await initializeNetwork(network, storage, 1);
    const results = await (await runner.submit(batch, runner.update.feeds(0, step))).results;
    assert.equal(bitsOf(results.loss), bitsOf(expected.loss));
    assert.ok(results.quadruplet[0] > 0, 'no hinge is active');
    for (const name of names) {
      const found = await storage.read(runner.update.gradients.get(name));
      assert.ok(
        found.some((value) => value !== 0),
        `${name} is all zeros`,
      );
      // By value: 0 + -0 is 0.
      assert.equal(
        found,
        expected[name].map((value) => value + 0),
        name,
      );
    }
  }
  program.destroy();
  runner.destroy();
  storage.destroy();
});

test('with frozen statistics the gradient is that of the whole batch, within the rounding of its sums', async () => {
  const one = await setting('frozen');
  const { network, storage, objective } = one;
  const batch = batchOf(0);
  const whole = network.encode(input('pixels', [BATCH, SIZE, SIZE, 4]), 'frozen');
  const { loss } = network.loss(whole.encoded);
  // The layers' inputs, and the loss's gradient by their outputs: by these the error model knows what each sum adds up.
  const names = [
    'convolution0',
    'convolution1',
    'embedding.weight',
    'embedding.bias',
    'classifier.weight',
    'classifier.bias',
  ];
  const parameters = names.map((name) => network.parameters.get(name));
  const [byEncoded, byLast, bySecond, ...byParameters] = gradient(loss, [
    whole.encoded,
    whole.last,
    whole.entering[1],
    ...parameters,
  ]);
  const outputs = {
    loss,
    encoded: whole.encoded,
    byEncoded,
    byLast,
    bySecond,
    second: whole.entering[1],
    pooled: whole.entering[2],
    last: whole.last,
    ...Object.fromEntries(names.map((name, index) => [name, byParameters[index]])),
  };
  const program = await Program.compile<string>(storage, { outputs });
  const expected = await program.run(objective.feeds(batch));

  const float64 = (values: Float32Array): Float64Array => Float64Array.from(values);
  const square: ConvolutionShape = {
    batch: BATCH,
    height: SIZE,
    width: SIZE,
    inputChannels: 4,
    outputChannels: CHANNELS,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
  };
  const boundOf = (shape: ConvolutionShape, x: Float32Array, dy: Float32Array): Float64Array =>
    convolutionWeightGradient.reference(shape, { x: float64(x), dy: float64(dy) }).dw.error;
  const masked = (gradientByY: Float32Array, y: Float32Array): Float32Array =>
    gradientByY.map((value, index) => (y[index] > 0 ? value : 0));
  const point = { kernel: [1, 1], stride: [1, 1], padding: [0, 0], batch: BATCH, height: 1, width: 1 } as const;
  // Both runs round every sum on the way to a gradient and back: three layers forward, the loss, three layers back.
  const ROUNDINGS = 2 * 7;
  const bounds: Readonly<Record<string, Float64Array>> = {
    convolution0: boundOf(square, pixelsOf(batch.images), masked(expected.bySecond, expected.second)),
    convolution1: boundOf(
      { ...square, inputChannels: CHANNELS },
      expected.second,
      masked(expected.byLast, expected.last),
    ),
    'embedding.weight': boundOf(
      { ...point, inputChannels: CHANNELS, outputChannels: WIDTH },
      expected.pooled,
      expected.byEncoded,
    ),
    'embedding.bias': Float64Array.from({ length: WIDTH }, (_, column) =>
      sumError(
        BATCH,
        expected.byEncoded.reduce((sum, value, index) => sum + (index % WIDTH === column ? Math.abs(value) : 0), 0),
      ),
    ),
  };

  for (const budget of ['below whole', 'least'] as const) {
    await initializeNetwork(network, storage, 1);
    const runner = await runnerInParts(one, budget);
    assert.is(runner.report.microBatches, budget === 'least' ? BATCH : 2);
    assert.not(runner.report.normalizedApart);
    const results = await (await runner.submit(batch, runner.update.feeds(0, 1))).results;
    assertWithin('loss', results.loss, expected.loss, [ROUNDINGS * sumError(9 * CHANNELS, expected.loss[0])]);
    for (const [name, error] of Object.entries(bounds)) {
      assertWithin(
        `${budget}: ${name}`,
        await storage.read(runner.update.gradients.get(name)),
        expected[name],
        error.map((bound) => ROUNDINGS * bound),
      );
    }
    runner.destroy();
  }
  program.destroy();
  storage.destroy();
});

test('training in micro-batches learns, and gives the same bits each time', async () => {
  const runs = await Promise.all(
    [0, 1].map(async () => {
      const one = await setting('train');
      const runner = await runnerInParts(one, 'least');
      const losses: number[] = [];
      for (let step = 1; step <= 5; step++)
        losses.push((await (await runner.submit(batchOf(0), runner.update.feeds(0.05, step))).results).loss[0]);
      const bits = await Promise.all(
        [one.network.parameters, one.network.statistics].map(async (store) =>
          bitsOf(await one.storage.read(store.flat)),
        ),
      );
      runner.destroy();
      one.storage.destroy();
      return { losses, bits };
    }),
  );
  assert.equal(runs[0], runs[1]);
  const [{ losses }] = runs;
  assert.ok(losses[4] < losses[0], `losses ${losses.join(', ')}`);
});

test('the predicted memory is what is allocated, and less than the whole batch needs', async () => {
  const { objective } = await setting('train');
  const device = await testDevice();
  const options = { optimizer: settings, objective };
  const least = await minimumOf(stepRunner({ ...options, storage: new DeviceStorage(device), memoryBudget: 0 }));
  assert.ok(
    least <
      (await minimumOf(
        stepRunner({
          ...options,
          objective: { ...objective, encoded: undefined },
          storage: new DeviceStorage(device),
          memoryBudget: 0,
        }),
      )),
  );
  const { made: bytes, result: runner } = await countBuffers(device, async () =>
    stepRunner({ ...options, storage: new DeviceStorage(device), memoryBudget: least }),
  );
  assert.is(runner.report.microBatches, BATCH);
  assert.is(bytes, runner.report.memory.total);
  assert.ok(bytes <= least);
  assert.ok(
    runner.report.encodedTwice! > 0.2 && runner.report.encodedTwice! < 0.6,
    `encoding again takes ${runner.report.encodedTwice} of the step`,
  );
  runner.destroy();
});

test('every image is in one piece, and each piece has its share of domains and classes', () => {
  const batch = batchOf(2);
  const pieces = interleaved(batch, 2);
  assert.equal(pieces.flatMap(({ rows }) => [...rows]).sort(), [...batch.labels.keys()]);
  for (const { piece, rows } of pieces) {
    assert.equal([...piece.domains], [0, 0, 1, 1]);
    assert.equal([...piece.labels], [0, 1, 0, 1]);
    rows.forEach((row, index) => {
      const each = SIZE * SIZE * 4;
      assert.equal(
        piece.images.subarray(index * each, (index + 1) * each),
        batch.images.subarray(row * each, (row + 1) * each),
      );
    });
  }
});

test('a micro-batch that is not finite changes neither weights nor statistics, and its op is named', async () => {
  const one = await setting('train');
  const { network, storage, objective } = one;
  const memoryBudget = await minimumOf(stepRunner({ storage, objective, optimizer: settings, memoryBudget: 0 }));
  const nan = {
    ...objective,
    encoded: {
      ...objective.encoded!,
      encode: (count: number) => ({
        ...objective.encoded!.encode(count),
        feeds: ({ images, step }: TrainingBatch) => ({
          pixels: pixelsOf(images).map((value) => (step === 1 && images[0] === batchOf(1).images[0] ? NaN : value)),
        }),
      }),
    },
  };
  const training = await Trainer.create({
    storage,
    objective: nan,
    optimizer: settings,
    memoryBudget,
    steps: 5,
    schedule: { learningRate: 0.05, warmupSteps: 0, decay: 'constant', final: 1 },
  });
  const read = async (): Promise<Uint32Array[]> =>
    Promise.all(
      [network.parameters, network.statistics, ...training.update.moments].map(async (store) =>
        bitsOf(await storage.read(store.flat)),
      ),
    );
  async function* steps(step: number): AsyncGenerator<TrainingBatch, void, undefined> {
    yield batchOf(step);
  }
  await training.train(steps(0), () => undefined);
  const before = await read();
  const error = await training
    .train(steps(1), () => undefined)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  assert.instance(error, NonFiniteError);
  assert.match((error as Error).message, /step 1: .*it begins in convolution_statistics/);
  assert.equal(await read(), before);
  await training.train(steps(2), ({ loss }) => assert.ok(Number.isFinite(loss)));
  training.destroy();
  storage.destroy();
});

test('so many micro-batches as are asked for: the bits of those that a budget asks for', async () => {
  const bits = async (made: (one: Setting) => Promise<StepRunner>) => {
    const one = await setting('train');
    const runner = await made(one);
    assert.is(runner.report.microBatches, 2);
    const { loss } = await (await runner.submit(batchOf(0), runner.update.feeds(0.05, 1))).results;
    const stores = await Promise.all(
      [one.network.parameters, one.network.statistics].map(async (store) => bitsOf(await one.storage.read(store.flat))),
    );
    runner.destroy();
    one.storage.destroy();
    return [bitsOf(loss), ...stores];
  };
  const asked = await bits(({ storage, objective }) =>
    stepRunner({ storage, objective, optimizer: settings, microBatches: 2 }),
  );
  assert.equal(asked, await bits((one) => runnerInParts(one, 'below whole')));
});

test('parts in which a batch does not come are refused, and a budget is not met by others than were asked for', async () => {
  const { storage, objective } = await setting('train');
  const refused = (options: Partial<Parameters<typeof stepRunner>[0]>): Promise<Error> =>
    stepRunner({ storage, objective, optimizer: settings, ...options }).then(
      () => new Error('it was made'),
      (reason: Error) => reason,
    );
  const uneven = await refused({ microBatches: 3 });
  assert.instance(uneven, MicroBatchError);
  assert.is(uneven.message, 'a batch of 8 images comes in 1, 2, 4, 8 equal parts, and not in 3');
  assert.match(
    (await refused({ microBatches: 2, objective: { ...objective, encoded: undefined } })).message,
    /comes in 1 equal parts for this loss, and not in 2/,
  );
  const least = await minimumOf(stepRunner({ storage, objective, optimizer: settings, memoryBudget: 0 }));
  assert.match((await refused({ microBatches: 1, memoryBudget: least })).message, /with the batch in 1 part\. /);
  storage.destroy();
});

test('a retrieval training keeps to a budget that the whole batch cannot, and a resumed one to its parts', async () => {
  const device = await testDevice();
  const log: Parameters<NonNullable<Parameters<typeof trainRetrieval>[0]['onLog']>>[0][] = [];
  const run = (
    options: Pick<Parameters<typeof trainRetrieval>[0], 'memoryBudget' | 'microBatches' | 'resume' | 'signal'>,
  ) =>
    trainRetrieval({
      device,
      dataset: shapesDataset(),
      training: { ...TINY_TRAINING, steps: 2, imageSize: 64, imagesPerDomain: 2 },
      onLog: (entry) => log.push(entry),
      ...options,
    });
  const checksumOf = ({ model, file }: Awaited<ReturnType<typeof run>>): string => {
    model.storage.destroy();
    return file.checksum;
  };
  const memoryBudget = await minimumOf(run({ memoryBudget: 1e6 }));
  const checksum = checksumOf(await run({ memoryBudget }));
  const started = log.find(({ event }) => event === 'start');
  assert.ok(
    started?.event === 'start' && started.memory.microBatches > 1 && started.memory.memory.total <= memoryBudget,
    JSON.stringify(started),
  );
  assert.ok(log.every((entry) => entry.event !== 'step' || Number.isFinite(entry.loss)));

  // The same by the number of parts, without a budget; where it is resumed, it need not be told.
  const { microBatches } = (started as Extract<(typeof log)[number], { event: 'start' }>).memory;
  const stopped = await run({ microBatches, signal: AbortSignal.abort() });
  const begun = { file: stopped.file, name: 'last.safetensors' };
  assert.is(stopped.stepsDone, 0);
  stopped.model.storage.destroy();
  assert.is(checksumOf(await run({ resume: begun })), checksum);
  const otherwise = await run({ resume: begun, microBatches: 1 }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(otherwise, CheckpointError);
  assert.match(
    (otherwise as Error).message,
    /last\.safetensors was trained with its batch in \d+ parts, and 1 would give other numbers; leave --accumulate out/,
  );
});

test.run();
