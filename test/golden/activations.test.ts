// A file of others that says everything of itself (strides of v1, another epsilon, Caffe's input), read and run: every
// block's output against PyTorch's in float64 (test/golden/weights/activations.py).
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFileSync } from 'node:fs';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import type { Tensor } from '../../src/autodiff/tensor.ts';
import { identityTransforms } from '../../src/data/augmentation.ts';
import { serializeSafetensors } from '../../src/formats/safetensors-writer.ts';
import { Network } from '../../src/nn/layers.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { buildBackbone, type BackboneSettings } from '../../src/nn/backbones/index.ts';
import { writeState } from '../../src/nn/state.ts';
import { pixelsIn } from '../../src/models/retrieval-model.ts';
import { imageInput } from '../../src/models/image-input.ts';
import { parseWeights } from '../../src/training/weights.ts';
import { testDevice } from '../support/device.ts';
import { integerStream, integerValues } from './integer-weights.ts';

interface Fixture {
  readonly width: number;
  readonly epsilon: number;
  readonly size: number;
  readonly batch: number;
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly outputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly float32Error: number;
    readonly norm: number;
    readonly projections: readonly number[];
  }[];
}

/** Our error against float64 may be this many times that of PyTorch's own float32, as in network-suite.ts. */
const ALLOWED_RATIO = 4;

const fixture = JSON.parse(readFileSync(new URL('./weights/activations.json', import.meta.url), 'utf8')) as Fixture;
const { size, batch } = fixture;

/** activations.py, integer_state. */
function initial(name: string, shape: readonly number[]): (v: number) => number {
  const fan = Math.sqrt(6 / (shape[1] * shape[2] * shape[3]));
  if (shape.length === 4) return (v) => v * fan * (name === 'conv1.weight' ? 0.01 : 1);
  if (name === 'bn1.running_var') return (v) => 2e-4 * (1 + 0.5 * v);
  if (name.endsWith('running_var')) return (v) => 1 + 0.5 * v;
  if (name.endsWith('bn3.weight')) return (v) => 0.25 * (1 + 0.2 * v);
  if (name.endsWith('weight')) return (v) => 1 + 0.2 * v;
  return name.endsWith('bias') ? (v) => 1 + 0.1 * v : (v) => 0.1 * v;
}

const weights = serializeSafetensors(
  fixture.parameters.map(({ name, shape }, index) => [
    name,
    {
      dtype: 'F32',
      shape,
      data: integerValues(
        6000 + index,
        shape.reduce((a, b) => a * b, 1),
        initial(name, shape),
      ),
    },
  ]),
  [
    ['architecture', 'resnet50 v1'],
    ['bn_eps', String(fixture.epsilon)],
    ['input', 'BGR, 0..255, minus mean (103.939, 116.779, 123.68), std 1'],
  ],
);
const element = integerStream(6999);
const images = Uint8Array.from({ length: batch * size * size * 3 }, (_, index) =>
  Math.floor((element(index) + 1) * 128),
);

test('v1 strides, epsilon, blue first, 0..255: every block as close to float64 as PyTorch in float32', async () => {
  const {
    file: { state, about },
  } = await parseWeights(weights, 'caffe.safetensors');
  const said = about.network as unknown as BackboneSettings & { batchNormEpsilon: number };
  const network = new Network(said);
  const backbone = buildBackbone(network, said);
  const outputs: Record<string, Tensor> = {};
  backbone.apply(
    new ForwardContext(network, 'eval'),
    imageInput({ count: batch, sourceSize: size, size, pixels: pixelsIn(about, 'caffe.safetensors') }),
    { observe: (name, output) => (outputs[name] = output) },
  );
  const storage = new DeviceStorage(await testDevice());
  const program = await Program.compile(storage, { outputs });
  writeState(network, storage, state);
  const results = await program.run({
    images,
    transforms: identityTransforms(batch, { sourceSize: size, outputSize: size }),
  });
  program.destroy();
  storage.destroy();

  const rows = fixture.outputs.map(({ name, shape, float32Error, norm, projections }, position) => {
    const values = results[name];
    assert.is(
      values.length,
      shape.reduce((a, b) => a * b, 1),
      name,
    );
    // A projection on a vector of uniform numbers (whose mean square is 1/3) of the error has its norm on average.
    const squares = projections.map((expected, index) => {
      const vector = integerStream(7000 + 8 * position + index);
      return values.reduce((sum, value, place) => sum + value * vector(place), -expected) ** 2;
    });
    const ours = Math.sqrt((3 * squares.reduce((a, b) => a + b, 0)) / squares.length) / norm;
    return { name, ours, float32Error, ratio: ours / float32Error };
  });
  for (const { name, ours, float32Error, ratio } of rows)
    console.log([name.padEnd(10), ours.toExponential(2), float32Error.toExponential(2), ratio.toFixed(2)].join('\t'));
  assert.equal(
    rows.filter(({ ratio }) => !(ratio <= ALLOWED_RATIO)).map(({ name, ratio }) => `${name} ${ratio}`),
    [],
  );
});

test.run();
