// VGG11 with batch normalisation against torchvision's (vgg.py): a file with the biases of its convolutions, every
// ReLU's output, a training step's gradients and running statistics.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFileSync } from 'node:fs';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { multiply } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { Program } from '../../src/autodiff/program.ts';
import { constant, input, type Tensor } from '../../src/autodiff/tensor.ts';
import { serializeSafetensors } from '../../src/formats/safetensors-writer.ts';
import { buildBackbone } from '../../src/nn/backbones/index.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { Network } from '../../src/nn/layers.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { readStore, writeState, type State } from '../../src/nn/state.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { parseWeights } from '../../src/training/weights.ts';
import { testDevice } from '../support/device.ts';
import { integerValues } from './integer-weights.ts';
import { projectedError, withFourChannels } from './measures.ts';

interface Row {
  readonly name: string;
  readonly shape: readonly number[];
  readonly stream: number;
  readonly float32Error: number;
  readonly norm: number;
  readonly projections: readonly number[];
}
interface Fixture {
  readonly width: number;
  readonly size: number;
  readonly batch: number;
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly outputs: readonly Row[];
  readonly gradients: readonly Row[];
  readonly statistics: readonly Row[];
}

/** Our error against float64 may be this many times that of PyTorch's own float32, as in network-suite.ts. */
const ALLOWED_RATIO = 4;
const BACKBONE = 'vgg11_bn';
const fixture = JSON.parse(readFileSync(new URL('./vgg11_bn.json', import.meta.url), 'utf8')) as Fixture;
const { width, size, batch } = fixture;

const isNorm = (name: string): boolean =>
  fixture.weights.some((weight) => weight.name === name.replace(/\.\w+$/, '.running_mean'));
/** vgg.py, integer_state. */
function initial(name: string, shape: readonly number[]): (v: number) => number {
  if (shape.length === 4) return (v) => v * Math.sqrt(6 / (shape[1] * 9));
  if (name.endsWith('running_var') || name.endsWith('weight')) return (v) => 1 + 0.2 * v;
  return isNorm(name) && name.endsWith('bias') ? (v) => 2 + 0.1 * v : (v) => v;
}
const length = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const torchvision = new Map(
  fixture.weights.map(({ name, shape }, index) => [
    name,
    { dtype: 'F32' as const, shape, data: integerValues(8000 + index, length(shape), initial(name, shape)) },
  ]),
);
const images = withFourChannels(
  integerValues(8901, batch * 3 * size * size, (v) => 1.5 * v),
  batch,
  size,
);
const imageInput = (): Tensor => input('images', [batch, size, size, 4]);

async function read(): Promise<State> {
  const { file, pretrained } = await parseWeights(serializeSafetensors(torchvision), 'vgg11_bn.safetensors');
  assert.equal([pretrained?.backbone, pretrained?.width], [BACKBONE, width]);
  assert.equal([pretrained?.absent, pretrained?.unused], [[], []]);
  return file.state;
}

test('evaluation: every layer is as close to float64 as PyTorch in float32, its biases in the running means', async () => {
  const network = new Network();
  const outputs: Record<string, Tensor> = {};
  outputs.avgpool = buildBackbone(network, { backbone: BACKBONE, width }).apply(
    new ForwardContext(network, 'eval'),
    imageInput(),
    { observe: (name, output) => (outputs[name] = output) },
  );
  const storage = new DeviceStorage(await testDevice());
  const program = await Program.compile(storage, { outputs });
  writeState(network, storage, await read());
  const results = await program.run({ images });
  program.destroy();
  storage.destroy();
  assertAsCloseAsPyTorch('outputs', new Map(Object.entries(results)));
});

test('training: gradients and running statistics are as close to float64 as PyTorch in float32', async () => {
  const network = new Network();
  const context = new ForwardContext(network, 'train');
  const features = buildBackbone(network, { backbone: BACKBONE, width }).apply(context, imageInput());
  const seed = constant(
    'seed',
    features.shape,
    integerValues(8902, features.length, (v) => v),
  );
  const update = trainingUpdate(network, sum(multiply(features, seed)), context.batchStatistics, sgdSettings(0, 0));
  const storage = new DeviceStorage(await testDevice());
  const program = await Program.compile(storage, { outputs: { features }, updates: update.updates });
  writeState(network, storage, await read());
  await program.run({ images, ...update.feeds(0.1, 1) });
  const valuesOf = async (store: typeof network.statistics): Promise<Map<string, Float32Array>> =>
    new Map([...(await readStore(store, network.layouts, storage))].map(([name, { values }]) => [name, values]));
  const [gradients, statistics] = [await valuesOf(update.gradients), await valuesOf(network.statistics)];
  program.destroy();
  storage.destroy();
  // torchvision's means are those of convolutions with their biases.
  for (const [name, values] of statistics) {
    const bias = torchvision.get(name.replace(/\d+\.running_mean$/, (found) => `${parseInt(found, 10) - 1}.bias`));
    if (name.endsWith('running_mean') && bias !== undefined) values.forEach((_, i) => (values[i] += bias.data[i]));
  }
  assertAsCloseAsPyTorch('gradients', gradients);
  assertAsCloseAsPyTorch('statistics', statistics);
});

/** The error of each tensor is estimated by few projections, so the root mean square over all and the worst are compared. */
function assertAsCloseAsPyTorch(
  kind: 'outputs' | 'gradients' | 'statistics',
  found: ReadonlyMap<string, Float32Array>,
): void {
  const rows = fixture[kind].map((row) => {
    const values = found.get(row.name) ?? new Float32Array(0);
    assert.is(values.length, length(row.shape), row.name);
    return { ours: projectedError(values, row, row.stream), float32Error: row.float32Error };
  });
  const summaries = {
    rms: (errors: readonly number[]) => Math.sqrt(errors.reduce((total, e) => total + e * e, 0) / errors.length),
    worst: (errors: readonly number[]) => Math.max(...errors),
  };
  for (const [name, of] of Object.entries(summaries)) {
    const [ours, theirs] = [of(rows.map((row) => row.ours)), of(rows.map((row) => row.float32Error))];
    console.log([`${kind}, ${name}`.padEnd(20), ours.toExponential(2), theirs.toExponential(2)].join('\t'));
    assert.ok(ours <= ALLOWED_RATIO * theirs, `${kind}, ${name}: ${ours}, PyTorch in float32 ${theirs}`);
  }
}

test.run();
