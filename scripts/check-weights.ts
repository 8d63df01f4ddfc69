// Checks real weights on real images, which are not part of the repository:
//
//   npm run check:weights -- --weights ../shared/weights/resnet50-v1-imagenet-partial.safetensors --images ../shared/datasets/Sketchy/256x256
//
// 1. What comes out of the stem and of each block up to layer3, beside PyTorch's in float64 on the same file and the same pixels
//    (test/golden/weights/activations.py; needs Debian's python3-torchvision). Bound: four times the error of PyTorch's own float32.
// 2. The embeddings of the exported ONNX model by onnxruntime-node (npm ci --prefix bench/peers), beside ours. Bound: 1e-4.
//
// Tensors that the file lacks are drawn from seed 0; only the second part sees them. Exits with 1 where a bound is
// missed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-web';
import { Program } from '../src/autodiff/program.ts';
import { DeviceStorage } from '../src/autodiff/device-storage.ts';
import type { Tensor } from '../src/autodiff/tensor.ts';
import { findImages } from '../src/cli/files/image-files.ts';
import { readWeightsFile } from '../src/cli/files/model-file.ts';
import { textTable } from '../src/cli/display/text-table.ts';
import { identityTransforms } from '../src/data/augmentation.ts';
import { serializeOnnx } from '../src/formats/onnx.ts';
import { DEFAULT_NETWORK_SETTINGS } from '../src/nn/layers.ts';
import { ForwardContext } from '../src/nn/forward-context.ts';
import { IMAGENET_PIXELS } from '../src/nn/pixels.ts';
import { DEFAULT_BACKBONE_SHAPE, type BackboneSettings } from '../src/nn/backbones/index.ts';
import { retrievalOnnx } from '../src/nn/retrieval-onnx.ts';
import { RetrievalNetwork } from '../src/nn/retrieval-network.ts';
import { initializeNetwork, readState, writeState } from '../src/nn/state.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { decodeImage } from '../src/platform/node/images.ts';
import { pixelsIn } from '../src/models/retrieval-model.ts';
import { imageInput } from '../src/models/image-input.ts';

const { values: options } = parseArgs({
  options: {
    weights: { type: 'string' },
    images: { type: 'string' },
    count: { type: 'string', default: '4' },
    size: { type: 'string', default: '224' },
    adapter: { type: 'string', default: 'auto' },
    python: { type: 'string', default: '/usr/bin/python3' },
  },
});
if (options.weights === undefined || options.images === undefined)
  throw new Error('--weights FILE and --images FOLDER are needed');

const ALLOWED_RATIO = 4;
const ALLOWED_DIFFERENCE = 1e-4;
const root = fileURLToPath(new URL('..', import.meta.url));

await ensureAdapter(options.adapter as AdapterChoice);
const [count, size] = [Number(options.count), Number(options.size)];
const found = await findImages(options.images, '--images');
// Spread over the folder, so that photos and sketches of several classes are among them.
const files = Array.from({ length: count }, (_, index) => found[Math.floor(((index + 0.5) * found.length) / count)]);
const images = new Uint8Array(count * size * size * 3);
for (const [index, file] of files.entries()) images.set(await decodeImage(file, size), index * size * size * 3);

const {
  file: { state, about },
  pretrained,
} = await readWeightsFile(options.weights, '--weights', {});
const said = about.network as Partial<BackboneSettings & typeof DEFAULT_NETWORK_SETTINGS>;
const settings = {
  ...DEFAULT_BACKBONE_SHAPE,
  ...DEFAULT_NETWORK_SETTINGS,
  ...said,
  embedding: 512,
  classes: 1,
  teacherClasses: 0,
};
const pixels = pixelsIn(about, options.weights) ?? IMAGENET_PIXELS;

const device = await openDevice(options.adapter as AdapterChoice, { unsafe: true });
const storage = new DeviceStorage(device);
const network = new RetrievalNetwork(settings);
await initializeNetwork(network, storage, 0);
const { loaded, missing } = writeState(
  network,
  storage,
  new Map([...state].filter(([name]) => !name.startsWith('fc.'))),
  { partial: true },
);
console.log(
  `${options.weights}: ${loaded.length} tensors loaded, ${missing.length} drawn (${pretrained?.format}); ${device.description.device}; ${count} images of ${size} px:\n  ${files.join('\n  ')}`,
);
const feeds = { images, transforms: identityTransforms(count, { sourceSize: size, outputSize: size }) };
const prepared = imageInput({ count, sourceSize: size, size, pixels });
const scratch = mkdtempSync(path.join(tmpdir(), 'sketchgrad-check-'));
let missed = 0;
try {
  missed += await checkActivations();
  missed += await checkOnnx();
} finally {
  rmSync(scratch, { recursive: true });
  storage.destroy();
  device.dispose();
  releaseGpu();
}
process.exitCode = missed > 0 ? 1 : 0;

async function checkActivations(): Promise<number> {
  const job = {
    weights: path.resolve(options.weights as string),
    pixels: path.join(scratch, 'pixels'),
    out: path.join(scratch, 'activations'),
    count,
    size,
    stride: settings.stride,
    epsilon: settings.batchNormEpsilon,
    mean: pixels.mean.map((value) => 255 * value),
    deviation: pixels.deviation.map((value) => 255 * value),
  };
  writeFileSync(job.pixels, images);
  writeFileSync(path.join(scratch, 'job.json'), JSON.stringify(job));
  const answer = execFileSync(
    options.python,
    [path.join(root, 'test/golden/weights/activations.py'), 'run', path.join(scratch, 'job.json')],
    { encoding: 'utf8', env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } },
  );
  const expected = JSON.parse(answer) as { name: string; shape: number[]; float32Error: number }[];

  const outputs: Record<string, Tensor> = {};
  network.backbone.apply(new ForwardContext(network, 'eval'), prepared, {
    observe: (name, output) => {
      if (!name.startsWith('layer4')) outputs[name] = output;
    },
  });
  const program = await Program.compile(storage, { outputs });
  const results = await program.run(feeds);
  program.destroy();

  const exact = readFileSync(job.out);
  let offset = 0;
  const rows = expected.map(({ name, shape, float32Error }) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const reference = new Float64Array(
      exact.buffer.slice(exact.byteOffset + offset, exact.byteOffset + offset + 8 * length),
    );
    offset += 8 * length;
    if (results[name].length !== length)
      throw new Error(`${name}: ${results[name].length} elements, PyTorch has ${length}`);
    const [error, norm, largest, largestError] = results[name].reduce(
      ([e, n, m, d], value, index) => [
        e + (value - reference[index]) ** 2,
        n + reference[index] ** 2,
        Math.max(m, Math.abs(reference[index])),
        Math.max(d, Math.abs(value - reference[index])),
      ],
      [0, 0, 0, 0],
    );
    return { name, shape, ours: Math.sqrt(error / norm), float32Error, largest: largestError / largest };
  });
  console.log('\nrelative error (L2) against PyTorch float64');
  console.log(
    textTable(
      ['output', 'shape', 'ours', 'PyTorch float32', 'ratio', 'largest error / largest value'],
      rows.map(({ name, shape, ours, float32Error, largest }) => [
        name,
        shape.join(' x '),
        ours.toExponential(2),
        float32Error.toExponential(2),
        (ours / float32Error).toFixed(2),
        largest.toExponential(2),
      ]),
    ),
  );
  return rows.filter(({ ours, float32Error }) => !(ours <= ALLOWED_RATIO * float32Error)).length;
}

async function checkOnnx(): Promise<number> {
  const program = await Program.compile(storage, {
    outputs: { embeddings: network.apply(prepared, 'eval').embeddings, images: prepared },
  });
  const results = await program.run(feeds);
  program.destroy();
  const ort = createRequire(new URL('../bench/peers/package.json', import.meta.url))('onnxruntime-node') as {
    InferenceSession: { create(model: Uint8Array): Promise<InferenceSession> };
    Tensor: typeof OrtTensor;
  };
  const whole = await readState(network, storage);
  let failures = 0;
  console.log('\nembeddings of the ONNX model by onnxruntime-node, beside ours');
  for (const preprocessing of ['inside', 'outside'] as const) {
    const model = serializeOnnx(
      retrievalOnnx(settings, whole, { imageSize: size, pixels, preprocessing, version: 'check' }),
    );
    const session = await ort.InferenceSession.create(model);
    const fed =
      preprocessing === 'inside'
        ? new ort.Tensor('uint8', images, [count, size, size, 3])
        : new ort.Tensor('float32', planesOf(results.images), [count, 3, size, size]);
    const { embeddings } = await session.run({ images: fed });
    const theirs = embeddings.data as Float32Array;
    const difference = results.embeddings.reduce(
      (largest, value, index) => Math.max(largest, Math.abs(value - theirs[index])),
      0,
    );
    const components = theirs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    console.log(
      `  preprocessing ${preprocessing}: largest difference ${difference.toExponential(2)}, largest component ${components.toFixed(3)}, model ${(model.length / 1e6).toFixed(1)} MB`,
    );
    if (!(difference <= ALLOWED_DIFFERENCE)) failures++;
  }
  return failures;
}

/** [count, size, size, 4] to [count, 3, size, size]. */
function planesOf(values: Float32Array): Float32Array {
  const planes = new Float32Array(count * 3 * size * size);
  for (let n = 0; n < count; n++)
    for (let color = 0; color < 3; color++)
      for (let pixel = 0; pixel < size * size; pixel++)
        planes[(n * 3 + color) * size * size + pixel] = values[(n * size * size + pixel) * 4 + color];
  return planes;
}
