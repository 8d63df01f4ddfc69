// Weights of others from the file to the served model: shown, trained from, embedded with, exported, and served by ONNX
// Runtime.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-web';
import twemoji from '@iconify-json/twemoji/icons.json' with { type: 'json' };
import { optionsOfWeights } from '../../src/cli/files/model-file.ts';
import { parseInputConvention, pixelNormalization } from '../../src/nn/pixels.ts';
import { serializeSafetensors } from '../../src/formats/safetensors-writer.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { decodeImage } from '../../src/platform/node/images.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';
import { parseModel, serializeModel, type ModelFile } from '../../src/models/model-file.ts';
import { useTestCache } from '../support/cache-home.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { testDevice } from '../support/device.ts';
import { writeShapes } from '../support/shapes-folder.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';

const CHECKPOINT = fileURLToPath(new URL('../golden/weights/checkpoint.pth', import.meta.url));
/** Tolerance of each component of an embedding of length 1, between the two runtimes. */
const ALLOWED_DIFFERENCE = 1e-4;

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
let restoreCache: () => void;

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-weights-'));
  restoreCache = useTestCache();
  await writeShapes(at('shapes'));
  await writeFile(at('unseen.txt'), 'shape e\nshape f\n');
});
test.after(async () => {
  restoreCache();
  await rm(folder, { recursive: true });
});

const train = (...words: string[]) =>
  runOnTestDevice([
    'train',
    '--data',
    at('shapes'),
    '--unseen',
    at('unseen.txt'),
    '--size',
    '32',
    '--embedding',
    '16',
    '--classes-per-batch',
    '2',
    '--images-per-domain',
    '1',
    '--steps',
    '1',
    ...words,
  ]);

test('sketchgrad weights: what a checkpoint of PyTorch holds', async () => {
  const { code, stdout, stderr } = await runOnTestDevice(['weights', '--json', '--input', 'caffe', CHECKPOINT]);
  assert.is(code, 0, stderr);
  const shown = JSON.parse(stdout) as {
    format: string;
    prefix: string;
    width: number;
    loaded: { name: string }[];
    absent: { name: string; initialised: string }[];
    unused: string[];
    input: { order: string };
  };
  assert.equal(
    [shown.format, shown.prefix, shown.width, shown.input.order],
    ['PyTorch, zip', 'state_dict.module.', 0.25, 'BGR'],
  );
  assert.is(shown.loaded.length, 6);
  assert.is(
    shown.absent.find(({ name }) => name === 'layer1.0.conv2.weight')?.initialised,
    'drawn from a normal distribution of deviation 0.118',
  );
  assert.equal(shown.unused, ['optimizer.state.0.momentum_buffer']);
  const text = await runOnTestDevice(['weights', CHECKPOINT]);
  assert.match(text.stdout, /strides +v1.5 \(the file does not say; assumed\)/);
  assert.is(
    (await runOnTestDevice(['weights', fileURLToPath(new URL('../golden/weights/hostile.pth', import.meta.url))])).code,
    1,
  );
});

test('train: a partial file of others; flags say what it does not; the model keeps it', async () => {
  const { code, stderr } = await train(
    '--weights',
    CHECKPOINT,
    '--stride',
    'v1',
    '--batch-norm-epsilon',
    '1.001e-5',
    '--input',
    'caffe',
    '--out',
    at('run'),
  );
  assert.is(code, 0, stderr);
  assert.match(stderr, /weights: 6 tensors from .*checkpoint.pth, 263 new, 1 of the file not used/);
  assert.match(stderr, /layer1.0.conv2.weight, drawn from a normal distribution/);
  const log = (await readFile(at('run', 'log.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const entry = log.find(({ event }) => event === 'weights') as {
    loaded: string[];
    initialised: Record<string, string>;
    unused: string[];
  };
  assert.equal(
    [entry.loaded.length, Object.keys(entry.initialised).length, entry.unused],
    [6, 263, ['optimizer.state.0.momentum_buffer']],
  );
  assert.match(entry.initialised['embedding.weight'], /^drawn uniformly between/);

  const model = await parseModel(await readFile(at('run', 'model.safetensors')), 'model');
  const { about } = model;
  const network = about.network as { width: number; stride: string; batchNormEpsilon: number };
  assert.equal([network.width, network.stride, network.batchNormEpsilon], [0.25, 'v1', 1.001e-5]);
  assert.equal((about.pixels as { deviation: number[] }).deviation, [1 / 255, 1 / 255, 1 / 255]);

  // A training from this model takes all of that from it.
  const { input, ...options } = optionsOfWeights(model, 'model');
  assert.equal(options, { width: 0.25, stride: 'v1', batchNormEpsilon: 1.001e-5, embedding: 16 });
  assert.equal(pixelNormalization(parseInputConvention(input as string)), about.pixels);
});

test('train: what cannot be loaded is said', async () => {
  const refused = async (message: RegExp, ...words: string[]): Promise<void> => {
    const { code, stderr } = await train('--out', at('refused'), ...words);
    assert.is(code, 1);
    assert.match(stderr, message);
  };
  await refused(
    /^sketchgrad: --width 0\.5: .*checkpoint\.pth holds a network of width 0\.25; give --width 0\.25, or leave --width out\n$/,
    '--weights',
    CHECKPOINT,
    '--width',
    '0.5',
    '--data',
    at('nothing'),
  );
  await refused(
    /--input: the input convention "photos" names neither RGB nor BGR/,
    '--weights',
    CHECKPOINT,
    '--input',
    'photos',
  );
  await refused(
    /nothing of a known backbone .* under the prefix "model."/,
    '--weights',
    CHECKPOINT,
    '--weights-prefix',
    'model.',
  );
  await refused(
    /is a model of sketchgrad's, which says itself how it is fed/,
    '--weights',
    at('run', 'model.safetensors'),
    '--input',
    'half',
  );
  await refused(
    /neither a safetensors file nor one of torch.save: it begins with "shape e/,
    '--weights',
    at('unseen.txt'),
  );
});

test("weights: shards by their index, what Hugging Face's files beside them say, and values that are not finite", async () => {
  const bad = 'layer3.0.bn1.running_mean';
  const tensors = [...new Classifier({ width: 0.25, classes: 5 }).layouts].map(
    ([name, { fileShape }]) =>
      [
        name,
        {
          dtype: 'F32',
          shape: fileShape,
          data: new Float32Array(fileShape.reduce((a, b) => a * b, 1)).fill(name === bad ? NaN : 0.1),
        },
      ] as const,
  );
  const shardOf = (index: number): string => `model-0000${index}-of-00002.safetensors`;
  await mkdir(at('hf'));
  for (const index of [1, 2])
    await writeFile(
      at('hf', shardOf(index)),
      serializeSafetensors(tensors.filter((_, place) => (place % 2) + 1 === index)),
    );
  await writeFile(
    at('hf', 'model.safetensors.index.json'),
    JSON.stringify({
      weight_map: Object.fromEntries(tensors.map(([name], place) => [name, shardOf((place % 2) + 1)])),
    }),
  );
  await writeFile(at('hf', 'config.json'), '{"downsample_in_bottleneck":true}');
  await writeFile(at('hf', 'preprocessor_config.json'), '{"image_mean":[0.25,0.5,0.5],"image_std":[0.5,0.5,0.5]}');
  const { code, stdout, stderr } = await runOnTestDevice([
    'weights',
    at('hf', 'model.safetensors.index.json'),
    '--json',
  ]);
  assert.is(code, 0, stderr);
  assert.match(stderr, new RegExp(`warning: .* holds values that are not finite, in ${bad}`));
  const { format, stride, pixels, nonFinite, absent } = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(
    { format, stride, pixels, nonFinite, absent },
    {
      format: 'safetensors, 2 shards',
      stride: 'v1',
      pixels: { mean: [0.25, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
      nonFinite: [bad],
      absent: [],
    },
  );
  const lone = await runOnTestDevice(['weights', at('hf', shardOf(1))]);
  assert.is(lone.code, 1);
  assert.match(lone.stderr, /is one of several shards, and holds a part of the weights; give their index/);
});

test('export: ONNX Runtime computes the embeddings of emoji that we do, from bytes and from floats, in batches of any size', async () => {
  const model = at('run', 'model.safetensors');
  const file = await parseModel(await readFile(model), model);
  const retrieval = openRetrievalModel(await testDevice(), file, model);
  const {
    imageSize: size,
    pixels: { mean, deviation },
  } = retrieval;
  const samples = ['cat', 'dog', 'teapot', 'bicycle', 'tiger'].map(
    (name) => ({ domain: 'photo', className: name, name }) as const,
  );
  const pictures = new Map<string, Uint8Array>();
  for (const { name } of samples) {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${twemoji.width} ${twemoji.height}">${twemoji.icons[name as 'cat'].body}</svg>`;
    pictures.set(name, await decodeImage(Buffer.from(svg), size, name));
  }
  const rows = await modelEmbeddings(retrieval, samples.length);
  const ours = await rows.compute(samples, { read: async ({ name }) => pictures.get(name) as Uint8Array });
  const bytes = Uint8Array.from([...pictures.values()].flatMap((picture) => [...picture]));
  rows.destroy();
  retrieval.storage.destroy();

  ort.env.wasm.numThreads = 1;
  for (const preprocessing of ['inside', 'outside'] as const) {
    const { code, stdout, stderr } = await runOnTestDevice([
      'export',
      '--model',
      model,
      '--out',
      at(`${preprocessing}.onnx`),
      '--preprocessing',
      preprocessing,
    ]);
    assert.is(code, 0, stderr);
    assert.match(
      stdout,
      preprocessing === 'inside'
        ? /images: RGB bytes, uint8 \[batch, 32, 32, 3\]/
        : /images: float32 \[batch, 3, 32, 32\].*mean 0\.485/,
    );
    const session = await ort.InferenceSession.create(new Uint8Array(await readFile(at(`${preprocessing}.onnx`))), {
      executionProviders: ['wasm'],
    });
    assert.equal([session.inputNames, session.outputNames], [['images'], ['embeddings']]);
    for (const count of [samples.length, 1]) {
      const pixels = size * size;
      const floats = Float32Array.from({ length: count * 3 * pixels }, (_, index) => {
        const [image, colour, pixel] = [
          Math.floor(index / (3 * pixels)),
          Math.floor(index / pixels) % 3,
          index % pixels,
        ];
        return (bytes[(image * pixels + pixel) * 3 + colour] / 255 - mean[colour]) / deviation[colour];
      });
      const fed =
        preprocessing === 'inside'
          ? new ort.Tensor('uint8', bytes.slice(0, count * pixels * 3), [count, size, size, 3])
          : new ort.Tensor('float32', floats, [count, 3, size, size]);
      const { embeddings } = await session.run({ images: fed });
      assert.equal(embeddings.dims, [count, 16]);
      const difference = (embeddings.data as Float32Array).reduce(
        (largest, value, index) => Math.max(largest, Math.abs(value - ours[index])),
        0,
      );
      assert.ok(difference <= ALLOWED_DIFFERENCE, `${preprocessing}, ${count} images: ${difference}`);
      console.log(`${preprocessing}, ${count} images: largest difference ${difference.toExponential(2)}`);
    }
    await session.release();
  }
  // Different pictures have different embeddings; a network that ignored its input would pass otherwise.
  const alike = ours.subarray(0, 16).reduce((sum, value, index) => sum + value * ours[16 + index], 0);
  assert.ok(alike < 1 - 1e-4, `${alike}`);
});

test('views mirrored: an embedding is the mean of those of an image and its mirror image, also of the exported model', async () => {
  const model = at('run', 'model.safetensors');
  const { state, about, checksum } = await parseModel(await readFile(model), model);
  const mirrored = at('mirrored.safetensors');
  await writeFile(mirrored, await serializeModel({ state, about: { ...about, views: 'mirrored' } }));
  const ofBothViews = await parseModel(await readFile(mirrored), mirrored);
  assert.not.equal(ofBothViews.checksum, checksum, 'an index of the one is none of the other');
  assert.is(optionsOfWeights(ofBothViews, mirrored).views, 'mirrored', 'what is trained from it keeps its views');
  assert.is((await train('--weights', mirrored, '--out', at('kept'))).code, 0);
  assert.is((await parseModel(await readFile(at('kept', 'model.safetensors')), 'kept')).about.views, 'mirrored');

  const SIDE = 32;
  const COUNT = 3;
  const random = uniformNumbers(1);
  const pictures = Array.from({ length: COUNT }, () =>
    Uint8Array.from({ length: SIDE * SIDE * 3 }, () => 255 * Math.abs(random())),
  );
  const flipped = pictures.map((pixels) =>
    pixels.map((_, at) => {
      const [row, column, color] = [Math.floor(at / (3 * SIDE)), Math.floor(at / 3) % SIDE, at % 3];
      return pixels[3 * (row * SIDE + SIDE - 1 - column) + color];
    }),
  );
  const embed = async (file: ModelFile, images: readonly Uint8Array[]): Promise<Float32Array> => {
    const retrieval = openRetrievalModel(await testDevice(), file, mirrored);
    // The last batch is filled up.
    const rows = await modelEmbeddings(retrieval, 2);
    const samples = images.map((_, index) => ({ domain: 'photo', className: '', name: String(index) }) as const);
    const embeddings = await rows.compute(samples, { read: async ({ name }) => images[Number(name)] });
    rows.destroy();
    retrieval.storage.destroy();
    return embeddings;
  };
  const both = await embed(ofBothViews, pictures);
  assert.equal(both, await embed(ofBothViews, flipped), 'the same bits for an image and its mirror image');
  const single = { ...ofBothViews, about };
  const [one, other] = [await embed(single, pictures), await embed(single, flipped)];
  assert.not.equal(one, other);
  for (let row = 0; row < COUNT; row++) {
    const sum = Array.from({ length: 16 }, (_, i) => one[16 * row + i] + other[16 * row + i]);
    // Rounded once, to a float of at most 1.
    sum.forEach((value, i) => assert.ok(Math.abs(value / Math.hypot(...sum) - both[16 * row + i]) <= 2 ** -24));
  }

  const { code, stderr } = await runOnTestDevice(['export', '--model', mirrored, '--out', at('mirrored.onnx')]);
  assert.is(code, 0, stderr);
  const session = await ort.InferenceSession.create(new Uint8Array(await readFile(at('mirrored.onnx'))), {
    executionProviders: ['wasm'],
  });
  const bytes = Uint8Array.from(pictures.flatMap((pixels) => [...pixels]));
  const { embeddings } = await session.run({ images: new ort.Tensor('uint8', bytes, [COUNT, SIDE, SIDE, 3]) });
  await session.release();
  assert.equal(embeddings.dims, [COUNT, 16]);
  (embeddings.data as Float32Array).forEach((value, index) =>
    assert.ok(Math.abs(value - both[index]) <= ALLOWED_DIFFERENCE, `${value}, ${both[index]}`),
  );
});

test.run();
