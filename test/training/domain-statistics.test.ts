// Batch normalization with statistics of their own for sketches and photos, against networks that see one domain alone.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { identityTransforms } from '../../src/data/augmentation.ts';
import type { Sample } from '../../src/data/dataset.ts';
import type { TrainingBatch } from '../../src/data/loader.ts';
import { retrievalOnnx } from '../../src/nn/retrieval-onnx.ts';
import { RetrievalNetwork, type ImageDomain } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, type State } from '../../src/nn/state.ts';
import { imageInput } from '../../src/models/image-input.ts';
import { encodeBatch } from '../../src/training/batch-input.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';
import { MicroBatchError } from '../../src/training/step-runner.ts';
import { testDevice } from '../support/device.ts';
import { shapePixels, shapesDataset, TINY_SIZE, TINY_TRAINING } from '../support/shapes-dataset.ts';
import { steps, stored, train, type Outcome } from '../support/shapes-training.ts';

const COUNT = 6;
const DOMAINS: readonly ImageDomain[] = ['sketch', 'photo'];
const shape = { count: COUNT, sourceSize: TINY_SIZE, size: TINY_SIZE };
const settings = { ...TINY_TRAINING.network, classes: 3, teacherClasses: 0 };
const separate = { ...settings, batchNormDomains: 'separate' } as const;
const training = { ...TINY_TRAINING, network: { ...TINY_TRAINING.network, batchNormDomains: 'separate' } } as const;

/** Three sketches and three photos. */
function batch(): TrainingBatch {
  const images = new Uint8Array(COUNT * 3 * TINY_SIZE ** 2);
  for (let i = 0; i < COUNT; i++)
    images.set(shapePixels(`shape ${'abc'[i % 3]}`, DOMAINS[Math.floor((2 * i) / COUNT)], i), i * 3 * TINY_SIZE ** 2);
  return {
    step: 0,
    images,
    transforms: identityTransforms(COUNT, { sourceSize: TINY_SIZE, outputSize: TINY_SIZE }),
    labels: Uint32Array.of(0, 1, 2, 0, 1, 2),
    domains: Uint32Array.of(0, 0, 0, 1, 1, 1),
  };
}

const isOwn = (name: string): boolean => name.includes('.sketch.');
const isStatistic = (name: string): boolean => /\.running_(mean|var)$/.test(name);

/** The state of a network with one set of statistics, that of a domain. */
function ofDomain(state: State, domain: ImageDomain): State {
  const wanted = [...state].filter(([name]) => !isStatistic(name) || isOwn(name) === (domain === 'sketch'));
  return new Map(wanted.map(([name, tensor]) => [name.replace('.sketch.', '.'), tensor]));
}

test('in training each domain is encoded as in a batch of its own, and its statistics are followed by its own', async () => {
  const storage = new DeviceStorage(await testDevice());
  const network = new RetrievalNetwork(separate);
  await initializeNetwork(network, storage, 1);
  const { encoded, batchStatistics, feeds } = encodeBatch(network, shape, { batchNorm: 'train', frozenStages: 0 });
  const program = await Program.compile<string>(storage, {
    outputs: { encoded, ...Object.fromEntries(batchStatistics) },
  });
  const whole = await program.run(feeds(batch()));
  assert.equal([...batchStatistics.keys()].sort(), [...network.statistics.entries.keys()].sort());

  const alone = new RetrievalNetwork(settings);
  await initializeNetwork(alone, storage, 1);
  const one = alone.encode(imageInput({ ...shape, count: COUNT / 2 }), 'train');
  const half = await Program.compile<string>(storage, {
    outputs: { encoded: one.encoded, ...Object.fromEntries(one.batchStatistics) },
  });
  const { images, transforms } = batch();
  for (const [part, domain] of DOMAINS.entries()) {
    const halfOf = <T extends Uint8Array | Float32Array>(values: T): T =>
      values.slice((part * values.length) / 2, ((part + 1) * values.length) / 2) as T;
    const expected = await half.run({ images: halfOf(images), transforms: halfOf(transforms) });
    assert.equal(halfOf(whole.encoded), expected.encoded, domain);
    for (const name of one.batchStatistics.keys())
      assert.equal(
        whole[domain === 'sketch' ? name.replace(/\.(running_\w+)$/, '.sketch.$1') : name],
        expected[name],
        `${domain}, ${name}`,
      );
  }
  assert.throws(
    () => feeds({ ...batch(), domains: Uint32Array.of(0, 1, 0, 1, 0, 1) }),
    /as many sketches as photos, the sketches first/,
  );
  assert.throws(
    () => network.encode(imageInput(shape), 'eval'),
    /normalizes sketches and photos apart, and the domain of these images was not given/,
  );
  program.destroy();
  half.destroy();
  storage.destroy();
});

let unbroken: Outcome;

test('a training keeps both sets of statistics, and is resumed with them, averaged or not', async () => {
  for (const change of [{ emaDecay: 0.5 }, {}]) {
    unbroken = await train({ training: { ...training, ...change }, checkpointEvery: 3 });
    const [{ file }] = unbroken.checkpoints;
    const { state } = file;
    const statistics = [...state.keys()].filter((name) => isStatistic(name) && !isOwn(name));
    for (const name of statistics)
      assert.not.equal(
        state.get(name)?.values,
        state.get(name.replace(/\.(running_\w+)$/, '.sketch.$1'))?.values,
        name,
      );
    const resumed = await train({ training: { ...training, ...change }, resume: await stored(file) });
    assert.is(resumed.checksum, unbroken.checksum);
    assert.equal(steps(resumed.log), steps(unbroken.log).slice(3));
  }
});

test('a part of a batch holds as many sketches as photos, or is refused', async () => {
  const { log } = await train({ training: { ...training, steps: 1 }, microBatches: 2 });
  assert.ok(steps(log).every(({ loss }) => Number.isFinite(loss)));
  const error = await train({ training, microBatches: 4 }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, MicroBatchError);
  assert.match((error as Error).message, /a batch of 4 images comes in 1, 2 equal parts, and not in 4/);
});

test('a model embeds each image by the statistics of its domain, in the order of the images', async () => {
  const device = await testDevice();
  const { file } = await stored(unbroken.checkpoints[0].file);
  const { queries, gallery, images } = shapesDataset();
  const mixed = [...queries, ...gallery].map((_, i, all) => all[(5 * i) % all.length]);
  const model = openRetrievalModel(device, file, 'model');
  const rows = await modelEmbeddings(model, 4);
  let last = 0;
  const found = await rows.compute(mixed, images, (done) => (last = done));
  assert.is(last, mixed.length);
  for (const domain of DOMAINS) {
    const network = { ...(file.about.network as { batchNormDomains: string }), batchNormDomains: 'shared' };
    const alone = openRetrievalModel(
      device,
      { ...file, state: ofDomain(file.state, domain), about: { ...file.about, network } },
      domain,
    );
    const ofAlone = await modelEmbeddings(alone, 4);
    const samples = mixed.filter((sample: Sample) => sample.domain === domain);
    const expected = await ofAlone.compute(samples, images);
    samples.forEach((sample, row) => {
      const place = mixed.indexOf(sample);
      assert.equal(
        found.slice(place * rows.width, (place + 1) * rows.width),
        expected.slice(row * rows.width, (row + 1) * rows.width),
        sample.name,
      );
    });
    ofAlone.destroy();
    alone.storage.destroy();
  }
  rows.destroy();
  model.storage.destroy();
});

test('an exported model has the statistics of its domain', () => {
  const { state, about } = unbroken.checkpoints[0].file;
  const network = about.network as unknown as RetrievalNetwork['retrieval'];
  const options = {
    imageSize: TINY_SIZE,
    pixels: TINY_TRAINING.pixels,
    preprocessing: 'inside',
    version: '0',
  } as const;
  for (const domain of DOMAINS) {
    const { constants, metadata } = retrievalOnnx(network, state, { ...options, domain });
    assert.equal(
      constants,
      retrievalOnnx({ ...network, batchNormDomains: 'shared' }, ofDomain(state, domain), options).constants,
    );
    assert.is(metadata.get('domain'), domain);
  }
});

test('a training starts from weights with one set of statistics, and one with one set from weights with two', async () => {
  const { file } = unbroken.checkpoints[0];
  const shared: State = ofDomain(file.state, 'photo');
  const begun = async (state: State, one: Parameters<typeof train>[0]): Promise<State> => {
    const { checkpoints } = await train({
      ...one,
      start: { file: { ...file, state, tables: new Map() }, name: 'start' },
      checkpointEvery: 1,
      training: { ...(one?.training ?? TINY_TRAINING), steps: 1, batchNorm: 'frozen' },
    });
    return checkpoints[0].file.state;
  };
  const fromOne = await begun(shared, { training });
  const fromTwo = await begun(file.state, { training: TINY_TRAINING });
  for (const [name, { values }] of shared) {
    if (!isStatistic(name)) continue;
    assert.equal(fromOne.get(name)?.values, values, name);
    assert.equal(fromOne.get(name.replace(/\.(running_\w+)$/, '.sketch.$1'))?.values, values, name);
    assert.equal(fromTwo.get(name)?.values, values, name);
  }
  assert.not([...fromTwo.keys()].some(isOwn));
});

test.run();
