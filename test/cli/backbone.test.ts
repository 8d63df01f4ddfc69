// A backbone that is no ResNet through the whole command: weights of others, frozen stages, a teacher, resuming, ONNX.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rm, readFile, writeFile } from 'node:fs/promises';
import * as ort from 'onnxruntime-web';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { serializeSafetensors } from '../../src/formats/safetensors-writer.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, readState, type State } from '../../src/nn/state.ts';
import { parseModel } from '../../src/models/model-file.ts';
import { parseKnowledge } from '../../src/training/knowledge-file.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';
import { testDevice } from '../support/device.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

const BACKBONE = 'vgg11_bn';
const STEPS = 4;
/** Embeddings have length 1, and both sides compute them in float32. */
const ALLOWED_DIFFERENCE = 2e-6;

let tiny: TinyTraining;
let teacher: State;
const at = (...names: string[]): string => tiny.at(...names);

test.before(async () => {
  tiny = await TinyTraining.make();
  const storage = new DeviceStorage(await testDevice());
  const network = new Classifier({ backbone: BACKBONE, width: 0.25, classes: 7 });
  await initializeNetwork(network, storage, 5);
  teacher = await readState(network, storage);
  storage.destroy();
  const tensors = [...teacher].map(
    ([name, { shape, values }]) => [name, { dtype: 'F32', shape, data: values }] as const,
  );
  await writeFile(at('classifier.safetensors'), serializeSafetensors(tensors, []));
});
test.after(() => tiny.remove());

const train = (...words: string[]): ReturnType<typeof run> =>
  run('train', ...tiny.options, '--steps', String(STEPS), '--deterministic', ...words);

test('weights: the backbone is recognized', async () => {
  const { code, stdout, stderr } = await run('weights', at('classifier.safetensors'));
  assert.is(code, 0, stderr);
  assert.match(stdout, /classifier.safetensors: VGG11-BN, safetensors/);
  assert.match(stdout, /7 classes on 128 features/);
});

test('train: it takes the backbone of the weights, which teach; frozen stages stay; the model says which it is', async () => {
  const { code, stderr } = await train(
    '--weights',
    at('classifier.safetensors'),
    '--frozen-stages',
    '2',
    '--checkpoint-every',
    '2',
    '--out',
    at('run'),
  );
  assert.is(code, 0, stderr);
  const model = await parseModel(await readFile(at('run', 'model.safetensors')), 'model');
  assert.is((model.about.network as { backbone: string }).backbone, BACKBONE);
  assert.equal(model.state.get('embedding.weight')?.shape, [16, 128]);
  assert.equal(model.state.get('teacher.weight')?.shape, [7, 16]);
  for (const [name, { values }] of model.state) {
    const begun = teacher.get(name);
    // Stages 1 and 2; convolutions of stage 3.
    const [, place] = /^features\.(0|1|4|5|8|11)\./.exec(name) ?? [];
    if (begun === undefined || place === undefined) continue;
    assert.is(String(values) === String(begun.values), Number(place) < 8, name);
  }
});

test('train --resume: the weights are those of an unbroken run', async () => {
  const unbroken = await tiny.checksumOf('run');
  await rm(at('run', 'model.safetensors'));
  const { code, stderr } = await run(
    'train',
    '--resume',
    at('run', 'checkpoint-00000002.safetensors'),
    '--out',
    at('run'),
  );
  assert.is(code, 0, stderr);
  assert.is(await tiny.checksumOf('run'), unbroken);
});

test('distill --backbone, and a teacher of another backbone than the student', async () => {
  const distilled = await run(
    'distill',
    ...tiny.options.slice(0, tiny.options.indexOf('--embedding')),
    '--weights',
    at('classifier.safetensors'),
    '--backbone',
    BACKBONE,
    '--out',
    at('knowledge.safetensors'),
  );
  assert.is(distilled.code, 0, distilled.stderr);
  const { table, origin } = parseKnowledge(await readFile(at('knowledge.safetensors')), 'knowledge');
  assert.equal([table.shape[1], origin.network.backbone], [7, BACKBONE]);
  const { code, stderr } = await train(
    '--teacher',
    at('classifier.safetensors'),
    '--backbone',
    'resnet18',
    '--out',
    at('student'),
  );
  assert.is(code, 0, stderr);
  const { about, state } = await parseModel(await readFile(at('student', 'model.safetensors')), 'student');
  assert.is((about.network as { backbone: string }).backbone, 'resnet18');
  assert.equal(state.get('teacher.weight')?.shape, [7, 16]);
});

test('train: a backbone that the weights are not of is refused', async () => {
  const { code, stderr } = await train('--weights', at('run', 'model.safetensors'), '--backbone', 'resnet50');
  assert.is(code, 1);
  assert.match(stderr, /--backbone resnet50: .*model.safetensors holds a vgg11_bn; give --backbone vgg11_bn/);
});

test('train: more frozen stages than the backbone has are refused', async () => {
  const { code, stderr } = await train('--weights', at('classifier.safetensors'), '--frozen-stages', '6');
  assert.is(code, 1);
  assert.match(stderr, /--frozen-stages 6: VGG11-BN has 5; give at most 5/);
});

test('export: ONNX Runtime computes the same embeddings', async () => {
  const { code, stderr } = await run('export', '--model', at('run', 'model.safetensors'), '--out', at('model.onnx'));
  assert.is(code, 0, stderr);
  const file = await parseModel(await readFile(at('run', 'model.safetensors')), 'model');
  const model = openRetrievalModel(await testDevice(), file, 'model');
  const size = model.imageSize;
  const bytes = Uint8Array.from({ length: 2 * size * size * 3 }, (_, index) => (index * 37 + (index >> 7) * 11) % 256);
  const rows = await modelEmbeddings(model, 2);
  const samples = ['0', '1'].map((name) => ({ domain: 'photo', className: 'any', name }) as const);
  const ours = await rows.compute(samples, {
    read: async ({ name }) => bytes.slice(Number(name) * size * size * 3, (Number(name) + 1) * size * size * 3),
  });
  rows.destroy();
  model.storage.destroy();
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(await readFile(at('model.onnx'))), {
    executionProviders: ['wasm'],
  });
  const { embeddings } = await session.run({ images: new ort.Tensor('uint8', bytes, [2, size, size, 3]) });
  const theirs = embeddings.data as Float32Array;
  assert.is(theirs.length, ours.length);
  const difference = Math.max(...theirs.map((value, index) => Math.abs(value - ours[index])));
  assert.ok(difference <= ALLOWED_DIFFERENCE, `${difference}`);
  await session.release();
});

test.run();
