import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tuningKey, type VariantSelector } from '../../src/autodiff/variant-selector.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, readState, StateMismatchError, type StateTensor } from '../../src/nn/state.ts';
import { CheckpointError, parseModel, serializeModel } from '../../src/models/model-file.ts';
import { evaluateNetwork, unseenTask } from '../../src/models/evaluation.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';
import type { Checkpoint, TrainRetrievalOptions } from '../../src/training/run-options.ts';
import { NonFiniteError } from '../../src/training/trainer.ts';
import { testDevice } from '../support/device.ts';
import { shapesDataset, TINY_TRAINING } from '../support/shapes-dataset.ts';
import { steps, stored, train, type Outcome } from '../support/shapes-training.ts';

let unbroken: Outcome;

test('the same seed gives the same losses and weights, another seed others', async () => {
  unbroken = await train();
  const again = await train();
  assert.is(again.checksum, unbroken.checksum);
  assert.equal(steps(again.log), steps(unbroken.log));
  assert.equal(
    steps(unbroken.log).map(({ step }) => step),
    [0, 1, 2, 3, 4, 5],
  );
  assert.is.not((await train({ training: { ...TINY_TRAINING, seed: 1 } })).checksum, unbroken.checksum);
});

test('validation and checkpoints in between change nothing; the best is marked, the last is last', async () => {
  const { checksum, checkpoints, log } = await train({ validateEvery: 2, checkpointEvery: 3 });
  assert.is(checksum, unbroken.checksum);
  const validations = log.filter((entry) => entry.event === 'validation');
  assert.equal(
    validations.map(({ stepsDone }) => stepsDone),
    [2, 4, 6],
  );
  let best = -Infinity;
  for (const validation of validations) {
    assert.is(validation.best, validation.mapAll > best);
    best = Math.max(best, validation.mapAll);
  }
  const saved = checkpoints.map(({ file }) => file.step);
  assert.ok(saved.includes(3) && saved.includes(6));
  assert.equal(
    checkpoints.filter((one) => one.best).map(({ file }) => file.step),
    validations.filter((one) => one.best).map(({ stepsDone }) => stepsDone),
  );
  assert.equal(
    checkpoints.map(({ last }) => last),
    checkpoints.map((_, index) => index === checkpoints.length - 1),
  );
});

test('resumed from any checkpoint, a run ends with the very weights of an unbroken one', async () => {
  const { checkpoints } = await train({ checkpointEvery: 1 });
  assert.is(checkpoints.length, TINY_TRAINING.steps);
  for (const { file } of [checkpoints[0], checkpoints[3]]) {
    const resumed = await train({ resume: await stored(file) });
    assert.is(resumed.checksum, unbroken.checksum);
    assert.equal(steps(resumed.log), steps(unbroken.log).slice(file.step));
  }
});

/** Takes the variant that each kernel likes least; not of the convolutions, where that would take minutes. */
const contrary: VariantSelector = {
  select: async (questions) =>
    new Map(
      questions
        .filter(({ kernel }) => !kernel.name.startsWith('convolution'))
        .map((question) => [tuningKey(question), question.calls[question.calls.length - 1].variant]),
    ),
};

test('a resumed run keeps to the kernel variants that it was begun with, whatever is preferred by then', async () => {
  const begun = await train({ selector: contrary, checkpointEvery: 3 });
  assert.is.not(begun.checksum, unbroken.checksum, 'other variants round otherwise');
  const [first] = begun.checkpoints;
  assert.ok(Object.keys(first.file.about.variants as object).length > 10);
  const resumed = await train({ resume: await stored(first.file) });
  assert.is(resumed.checksum, begun.checksum);
  assert.is(resumed.log.find((entry) => entry.event === 'start')?.replacedVariants, 0);
});

test('a stopped run saves what it did and can be resumed', async () => {
  const controller = new AbortController();
  const { stopped, checkpoints } = await train({
    signal: controller.signal,
    onLog: (entry) => entry.event === 'step' && controller.abort(),
  });
  assert.ok(stopped);
  const { file, last } = checkpoints[checkpoints.length - 1];
  assert.ok(last && file.step > 0 && file.step < TINY_TRAINING.steps);
  assert.is((await train({ resume: await stored(file) })).checksum, unbroken.checksum);
});

test('a run is not resumed with other settings or data, and says which differ', async () => {
  const resume = await stored(unbroken.checkpoints[0].file);
  const refused = async (options: Partial<TrainRetrievalOptions>, message: RegExp): Promise<void> => {
    const error = await train({ resume, ...options }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.instance(error, CheckpointError);
    assert.match((error as Error).message, message);
  };
  await refused(
    { training: { ...TINY_TRAINING, seed: 4, losses: { ...TINY_TRAINING.losses, margin: 0.5 } } },
    /run\/checkpoint.*settings.seed: 0 then, 4 now\s+settings.losses.margin: 0.2 then, 0.5 now/s,
  );
  const { train: samples, ...rest } = shapesDataset();
  await refused({ dataset: { ...rest, train: samples.slice(1) } }, /data.images: 20 then, 19 now/);
  const drawn = { ...rest, train: samples.map((sample) => ({ ...sample, source: 'drawn' })) };
  await refused(
    { dataset: drawn, training: { ...TINY_TRAINING, sourceWeights: { drawn: 2 } } },
    /data.fingerprint: .* then, .* now\s+settings.sourceWeights.drawn: nothing then, 2 now/,
  );
  const { state, about, moments, tables } = resume.file;
  // Moments, each of which must be there, in its shape, and be one of the training's.
  const withMoments = async (
    change: (store: Map<string, StateTensor>) => void,
  ): Promise<Partial<TrainRetrievalOptions>> => {
    const [[store, entries], ...others] = moments;
    const changed = new Map(entries);
    change(changed);
    return {
      resume: {
        name: 'run/checkpoint',
        file: await parseModel(
          await serializeModel({ ...resume.file, moments: new Map([[store, changed], ...others]) }),
          'run/checkpoint',
        ),
      },
    };
  };
  await refused(
    await withMoments((store) => void store.delete('embedding.weight')),
    /do not fit the training: embedding.weight is missing/,
  );
  await refused(
    await withMoments((store) => void store.set('embedding.weight', { shape: [1], values: new Float32Array(1) })),
    /embedding.weight is \[1\], where \[16, 512\] is needed/,
  );
  await refused(
    await withMoments((store) => void store.set('x', { shape: [1], values: new Float32Array(1) })),
    /x is none of its tensors/,
  );
  await refused(
    {
      resume: {
        name: 'run/checkpoint',
        file: {
          ...resume.file,
          tables: new Map([...tables, ['knowledge', { shape: [1, 1], values: new Float32Array(1) }]]),
        },
      },
    },
    /table of knowledge is \[1, 1\]/,
  );
  await refused(
    { resume: { file: await parseModel(await serializeModel({ state, about }), 'model'), name: 'model' } },
    /model for use/,
  );
});

test('a learning rate that explodes stops with the op and the step, after the last good checkpoint', async () => {
  const checkpoints: Checkpoint[] = [];
  const training = { ...TINY_TRAINING, schedule: { ...TINY_TRAINING.schedule, learningRate: 1e30 } };
  const error = await train({
    training,
    checkpointEvery: 1,
    onCheckpoint: async (saved) => void checkpoints.push(saved),
  }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, NonFiniteError);
  assert.match(
    (error as NonFiniteError).message,
    /step 1: .*it begins in \w+.*operand \w+, element \d+, which is (NaN|-?Infinity)/,
  );
  assert.equal(
    checkpoints.map(({ file }) => file.step),
    [1],
  );
  for (const { values } of checkpoints[0].file.state.values()) assert.ok(values.every(Number.isFinite));
});

test('a classifier to start from is the teacher too; its knowledge is in the checkpoint', async () => {
  const device = await testDevice();
  const storage = new DeviceStorage(device);
  const classifier = new Classifier({ width: 0.25, classes: 5 });
  await initializeNetwork(classifier, storage, 9);
  const file = await parseModel(
    await serializeModel({ state: await readState(classifier, storage), about: { kind: 'classifier' } }, 'F16'),
    'start',
  );
  storage.destroy();

  const whole = await train({ start: { file, name: 'start' }, checkpointEvery: 3 });
  const [first] = whole.checkpoints;
  const knowledge = first.file.tables.get('knowledge');
  assert.equal(knowledge?.shape, [4, 5]);
  for (let row = 0; row < 4; row++) {
    const sum = knowledge!.values.subarray(5 * row, 5 * row + 5).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 1) < 1e-6);
  }
  assert.ok(steps(whole.log).every(({ values }) => values.preservation > 0));
  assert.is((await train({ resume: await stored(first.file) })).checksum, whole.checksum, 'resuming needs no teacher');

  const wide = { ...TINY_TRAINING, network: { ...TINY_TRAINING.network, width: 0.5 } };
  const error = await train({ start: { file, name: 'start' }, training: wide }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, StateMismatchError);
  assert.match(
    (error as Error).message,
    /start: .*conv1.weight: the file has \[16, 3, 7, 7\], the network \[32, 3, 7, 7\]/s,
  );
});

test('a stored model searches as the trained one does', async () => {
  const device = await testDevice();
  const { file } = await stored(unbroken.checkpoints[0].file);
  const model = openRetrievalModel(device, file, 'model');
  const embeddings = await modelEmbeddings(model, 6);
  const dataset = shapesDataset();
  const { metrics, queries } = await evaluateNetwork(embeddings, unseenTask(dataset), dataset.images);
  assert.is(metrics.queries, 6);
  assert.is(metrics.gallerySize, 6);
  assert.ok(metrics.mapAll > 0 && metrics.mapAll <= 1);
  assert.is(queries.length, 6 * TINY_TRAINING.network.embedding);
  assert.ok(Math.abs(Math.hypot(...queries.subarray(0, 16)) - 1) < 1e-5);
  embeddings.destroy();
  model.storage.destroy();
});

test.run();
