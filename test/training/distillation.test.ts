import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, readState } from '../../src/nn/state.ts';
import { parseModel, serializeModel, type ModelFile } from '../../src/models/model-file.ts';
import { distill, distilledPhotos, type DistillationOptions } from '../../src/training/distillation.ts';
import {
  parseKnowledge,
  parsePartialKnowledge,
  serializeKnowledge,
  serializePartialKnowledge,
  type Knowledge,
  type PartialKnowledge,
} from '../../src/training/knowledge-file.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import type { TrainRetrievalOptions } from '../../src/training/run-options.ts';
import { testDevice } from '../support/device.ts';
import { shapesDataset, TINY_SIZE, TINY_TRAINING } from '../support/shapes-dataset.ts';

const dataset = shapesDataset();
const STEPS = 2;

async function classifier(seed: number, classes = 5): Promise<{ readonly file: ModelFile; readonly name: string }> {
  const storage = new DeviceStorage(await testDevice());
  const network = new Classifier({ width: 0.25, classes });
  await initializeNetwork(network, storage, seed);
  const file = await parseModel(
    await serializeModel({ state: await readState(network, storage), about: { kind: 'classifier' } }),
    'teacher',
  );
  storage.destroy();
  return { file, name: 'teacher' };
}

const settings: DistillationOptions['settings'] = {
  reading: { mean: 'softmax', temperature: 1 },
  photosPerClass: 0,
  seed: 0,
  imageSize: TINY_SIZE,
  pixels: TINY_TRAINING.pixels,
  batchSize: 2,
};
const teacher = classifier(9);
const ask = async (options: Partial<DistillationOptions> = {}): Promise<Knowledge> =>
  distill({
    device: await testDevice(),
    dataset,
    teacher: await teacher,
    network: TINY_TRAINING.network,
    settings,
    ...options,
  });

const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

test('the teacher sees each photo of a seen class once', async () => {
  let seen: string[] = [];
  const watched = {
    ...dataset,
    images: {
      read: async (sample: Parameters<typeof dataset.images.read>[0], size: number) => (
        seen.push(sample.name),
        dataset.images.read(sample, size)
      ),
    },
  };
  const knowledge = await ask({ dataset: watched });
  assert.equal(
    [...seen].sort(),
    dataset.train
      .filter(({ domain }) => domain === 'photo')
      .map(({ name }) => name)
      .sort(),
  );
  assert.equal([...knowledge.counts], [3, 3, 3, 3]);
  assert.equal(knowledge.table.shape, [4, 5]);
  assert.is(knowledge.origin.teacher, (await teacher).file.checksum);
  seen = [];
  await ask({ dataset: watched, settings: { ...settings, photosPerClass: 1 } });
  // The last batch of two is whole here: four classes, a photo each.
  assert.is(seen.length, 4);
});

test('stopped after any state and gone on with, it ends with the same bits; the state of another distillation is left alone', async () => {
  const whole = await ask();
  const states: PartialKnowledge[] = [];
  const again = await ask({
    stateEvery: 1,
    onPartial: async (state) => void states.push(parsePartialKnowledge(serializePartialKnowledge(state), 'state')),
  });
  assert.equal(bitsOf(again.table.values), bitsOf(whole.table.values));
  assert.equal(
    states.map(({ photosDone }) => photosDone),
    [2, 4, 6, 8, 10],
  );
  for (const begun of [states[0], states[3]]) {
    let from = -1;
    const resumed = await ask({ begun, onStart: (done) => (from = done) });
    assert.is(from, begun.photosDone);
    assert.equal(serializeKnowledge(resumed), serializeKnowledge(whole));
  }
  const others: Partial<DistillationOptions>[] = [
    { settings: { ...settings, reading: { mean: 'logits', temperature: 1 } } },
    { teacher: await classifier(3) },
    { dataset: { ...dataset, train: dataset.train.slice(1, -1) } },
  ];
  for (const other of others) {
    let from = -1;
    const anew = await ask({ ...other, begun: states[2], onStart: (done) => (from = done) });
    assert.is(from, 0);
    assert.equal(serializeKnowledge(anew), serializeKnowledge(await ask(other)));
  }
});

test('a sample of photos is drawn for each class by the seed, in the order of the data', () => {
  const names = (seed: number, photosPerClass: number): string[] =>
    distilledPhotos(dataset, { photosPerClass, seed }).map(({ name }) => name);
  const all = names(0, 0);
  assert.is(all.length, 12);
  for (const seed of [0, 1, 2]) {
    const sample = names(seed, 2);
    assert.equal(sample, names(seed, 2));
    assert.equal(
      sample,
      all.filter((name) => sample.includes(name)),
    );
    for (const className of dataset.seenClasses) assert.is(sample.filter((name) => name.includes(className)).length, 2);
  }
  assert.ok([1, 2, 3, 4].some((seed) => names(seed, 2).join() !== names(0, 2).join()));
  assert.equal(names(0, 9), all);
});

const training = { ...TINY_TRAINING, steps: STEPS };

/** A tiny training's checksum; its weights leave the device. */
async function train(
  options: Partial<TrainRetrievalOptions>,
): Promise<{ readonly checksum: string; readonly file: ModelFile }> {
  const { model, file } = await trainRetrieval({ device: await testDevice(), dataset, training, ...options });
  model.storage.destroy();
  return { checksum: file.checksum, file };
}

const refusal = async (options: Partial<TrainRetrievalOptions>): Promise<string> =>
  train(options).then(
    () => 'nothing was refused',
    (error: Error) => `${error.name}: ${error.message}`,
  );

test('training with prepared knowledge is training with the teacher at hand; other classes, teachers and readings are refused', async () => {
  const start = await teacher;
  const prepared = async (changed: Partial<DistillationOptions['settings']> = {}) => ({
    file: parseKnowledge(
      serializeKnowledge(await ask({ settings: { ...settings, batchSize: 32, ...changed } })),
      'knowledge',
    ),
    name: 'knowledge',
  });
  const knowledge = await prepared();
  const atHand = await train({ start });
  assert.is((await train({ start, knowledge })).checksum, atHand.checksum);
  assert.is(atHand.file.about.teacher as string, start.file.checksum);

  const other = await classifier(4);
  assert.match(await refusal({ start: other, knowledge }), /KnowledgeError: knowledge was distilled from the teacher/);
  assert.match(
    await refusal({ start, knowledge: await prepared({ reading: { mean: 'logits', temperature: 1 } }) }),
    /KnowledgeError: knowledge was distilled as the mean of logits at temperature 1/,
  );
  const renamed = { ...knowledge.file, classes: knowledge.file.classes.map((name) => `${name}!`) };
  assert.match(
    await refusal({ start, knowledge: { file: renamed, name: 'knowledge' } }),
    /KnowledgeError: knowledge knows nothing of shape a!?, /,
  );
});

test('an online teacher goes on with a resumed run, and must be the same', async () => {
  const online = { ...training, teacher: { ...training.teacher, kind: 'online' as const } };
  const start = await teacher;
  const checkpoints: ModelFile[] = [];
  const { checksum, file } = await train({
    start,
    training: online,
    checkpointEvery: 1,
    onCheckpoint: async (saved) => void checkpoints.push(saved.file),
  });
  assert.is.not(checksum, (await train({ start })).checksum);
  assert.is(file.tables.size, 0);
  const resume = { file: await parseModel(await serializeModel(checkpoints[0]), 'run'), name: 'run' };
  assert.is((await train({ resume, teacher: start, training: online })).checksum, checksum);
  assert.match(
    await refusal({ resume, teacher: await classifier(4), training: online }),
    /KnowledgeError: teacher has the checksum \w+, and the run was begun with the teacher/,
  );
  assert.match(
    await refusal({ training: online }),
    /KnowledgeError: an online teacher is requested, and there is none/,
  );
});

test('a teacher of its own leaves the starting weights what they are; a cosine classifier and a new embedding fit as well', async () => {
  const [start, other] = [await teacher, await classifier(4)];
  const network = { ...training.network, classifier: 'cosine' as const };
  const { file } = await train({
    start,
    teacher: other,
    training: {
      ...training,
      network,
      embeddingStart: 'random',
      losses: { ...training.losses, classifierTemperature: 0.05 },
    },
  });
  assert.is(file.about.teacher as string, other.file.checksum);
  assert.equal(file.state.get('classifier.weight')?.shape, [4, 16]);
  assert.not.ok(file.state.has('classifier.bias'));
  assert.equal(file.state.get('teacher.weight')?.shape, [5, 16]);
  // The head of a teacher of other classes is a new one.
  const next = await train({
    start: { file, name: 'begun' },
    teacher: await classifier(5, 7),
    training: { ...training, network },
  });
  assert.equal(next.file.state.get('teacher.weight')?.shape, [7, 16]);
});

test('parameter groups: a trunk at rate 0 stays, and decay is left off biases and norms', async () => {
  const start = await teacher;
  const optimizer = training.optimizer;
  const { file } = await train({ start, training: { ...training, optimizer: { ...optimizer, trunkRate: 0 } } });
  const changed = [...file.state].filter(([name, { values }]) => {
    const before = start.file.state.get(name);
    return before !== undefined && !name.includes('running') && values.some((value, i) => value !== before.values[i]);
  });
  assert.equal(changed, []);
  // With next to no gradient the decay alone moves a parameter under AdamW: by rate x decay of itself.
  const decaying = {
    ...training,
    optimizer: { ...optimizer, kind: 'adamw' as const, weightDecay: 0.5, decayed: 'weights' as const, trunkRate: 1 },
    losses: { ...training.losses, quadruplet: 0, classification: 0, preservation: 0 },
  };
  const { state } = (await train({ start, training: decaying })).file;
  const movedBy = (name: string): number =>
    Math.max(...state.get(name)!.values.map((value, i) => Math.abs(value - start.file.state.get(name)!.values[i])));
  assert.ok(movedBy('conv1.weight') > 1e-4);
  assert.is(movedBy('bn1.weight'), 0);
  assert.is(movedBy('layer4.2.bn3.bias'), 0);
});

test('frozen stages keep weights and statistics, in micro-batches too; what follows them learns as before', async () => {
  const start = await teacher;
  const trained = async (changes: Partial<typeof training>, microBatches?: number): Promise<ModelFile['state']> =>
    (await train({ start, training: { ...training, ...changes }, microBatches })).file.state;
  const moved = (state: ModelFile['state'], name: string): Float32Array =>
    state.get(name)!.values.map((value, i) => value - start.file.state.get(name)!.values[i]);
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const trunk = [...start.file.state.keys()].filter((name) => !name.startsWith('fc.'));
  const isFrozen = (name: string): boolean => /^(conv1|bn1|layer[12])\./.test(name);
  assert.ok(trunk.filter(isFrozen).length > 100);
  for (const microBatches of [undefined, 2]) {
    const state = await trained({ frozenStages: 2 }, microBatches);
    assert.equal(
      trunk.filter((name) => moved(state, name).every((change) => change === 0)),
      trunk.filter(isFrozen),
    );
  }

  // Under running statistics throughout, the frozen stages are the same function of the images, folded or not: what
  // follows gets the same gradients but for rounding: each of 50 layers, forward and back, adds c eps sqrt(K) of a
  // gradient's length, K = 9 x 128 products at most here; c = 16 for what batch norms take away.
  const bound = 16 * 2 * 50 * 2 ** -24 * Math.sqrt(9 * 128);
  const plain = {
    batchNorm: 'frozen',
    steps: 1,
    optimizer: { ...training.optimizer, kind: 'sgd', momentum: 0 },
  } as const;
  const [all, some] = [await trained(plain), await trained({ ...plain, frozenStages: 2 })];
  for (const name of trunk.filter((tensor) => !isFrozen(tensor) && !tensor.includes('running'))) {
    const [expected, actual] = [moved(all, name), moved(some, name)];
    const length = Math.sqrt(dot(expected, expected));
    assert.ok(length > 0, name);
    const difference = expected.map((value, i) => value - actual[i]);
    assert.ok(Math.sqrt(dot(difference, difference)) <= bound * length, name);
  }
});

test.run();
