import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tuningKey, type VariantSelector } from '../../src/autodiff/variant-selector.ts';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { globalAveragePool, maxPool } from '../../src/autodiff/ops/pooling.ts';
import { Program } from '../../src/autodiff/program.ts';
import type { DispatchLimits } from '../../src/autodiff/slicing.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input, type Tensor } from '../../src/autodiff/tensor.ts';
import type { Device } from '../../src/gpu/device.ts';
import { Network } from '../../src/nn/layers.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate, type TrainingUpdate } from '../../src/nn/training-update.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

/** 3 parts and 2 of it are whole images: so the weight gradients are split here, and slices end between splits. */
const BATCH = 48;
const SIZE = 64;
const CLASSES = 3;
const STEPS = 2;
/**
 * Less than the images, the activations of the stem and those of the first block; more than any weight and than a third
 * of the batch.
 */
const SMALL_BINDING = 2 ** 20;
/** Less than the grids of the stem and of the first block. */
const SMALL_GRID = 64;

/**
 * Every op of ResNet50's training step: a 7x7 stem, the pooling, a bottleneck block with a strided shortcut, one
 * without, the classifier.
 */
class SmallResNet extends Network {
  private readonly stem = this.layer('stem', 7, 3, 16);
  private readonly blocks = [
    {
      layers: [this.layer('a1', 1, 16, 8), this.layer('a2', 3, 8, 8), this.layer('a3', 1, 8, 32)],
      shortcut: this.layer('a0', 1, 16, 32),
      stride: 1,
    },
    {
      layers: [this.layer('b1', 1, 32, 16), this.layer('b2', 3, 16, 16), this.layer('b3', 1, 16, 32)],
      shortcut: this.layer('b0', 1, 32, 32),
      stride: 2,
    },
    {
      layers: [this.layer('c1', 1, 32, 16), this.layer('c2', 3, 16, 16), this.layer('c3', 1, 16, 32)],
      shortcut: undefined,
      stride: 1,
    },
  ];
  private readonly head = this.linear('head', 32, CLASSES);

  private layer(name: string, kernel: number, inputs: number, outputs: number) {
    return {
      weight: this.convolutionWeight(`${name}.weight`, kernel, inputs, outputs),
      norm: this.batchNorm(`${name} norm`, outputs),
      padding: kernel >> 1,
    };
  }

  /** @param images [batch, size, size, 4] */
  training(images: Tensor, labels: Tensor): { readonly loss: Tensor; readonly update: TrainingUpdate } {
    const pass = new ForwardContext(this, 'train');
    const run = (
      x: Tensor,
      { weight, norm, padding }: SmallResNet['stem'],
      options: { stride?: number; relu?: boolean; residual?: Tensor },
    ): Tensor => pass.convolutionBatchNorm(x, weight, norm, { padding, ...options });
    let x = maxPool(run(images, this.stem, { stride: 2, relu: true }), { window: 3, stride: 2, padding: 1 });
    for (const { layers, shortcut, stride } of this.blocks) {
      const residual = shortcut === undefined ? x : run(x, shortcut, { stride });
      const inner = run(run(x, layers[0], { relu: true }), layers[1], { stride, relu: true });
      x = run(inner, layers[2], { relu: true, residual });
    }
    const loss = softmaxCrossEntropy(this.head.apply(globalAveragePool(x)), labels);
    return { loss, update: trainingUpdate(this, loss, pass.batchStatistics, sgdSettings(1e-4)) };
  }
}

/** What `STEPS` steps from one seed leave behind, as bits; and what the plan did about the limit. */
async function train(
  { maxBindingBytes, maxWorkgroupsPerDimension }: Partial<DispatchLimits>,
  selector?: VariantSelector,
) {
  const network = new SmallResNet();
  const { loss, update } = network.training(input('images', [BATCH, SIZE, SIZE, 4]), input('labels', [BATCH], 'u32'));
  const device = await testDevice();
  const traits = { ...device.traits, ...(maxWorkgroupsPerDimension !== undefined && { maxWorkgroupsPerDimension }) };
  const storage = new DeviceStorage(Object.create(device, { traits: { value: traits } }) as Device, selector);
  await initializeNetwork(network, storage, 1);
  const program = await Program.compile(storage, {
    outputs: { loss, gate: update.gate },
    updates: update.updates,
    maxBindingBytes,
  });
  const uniform = uniformNumbers(5);
  const images = Float32Array.from({ length: BATCH * SIZE * SIZE * 4 }, uniform);
  const labels = Uint32Array.from({ length: BATCH }, (_, index) => index % CLASSES);
  const losses: number[] = [];
  for (let step = 1; step <= STEPS; step++)
    losses.push((await program.run({ images, labels, ...update.feeds(0.05, step) })).loss[0]);
  const bits = new Map<string, Uint32Array>();
  for (const store of [network.parameters, network.statistics, update.gradients, ...update.moments]) {
    for (const [name, { tensor }] of store.entries) {
      const values = await storage.read(tensor);
      assert.ok(
        values.some((value) => value !== 0),
        `${store.name}: ${name} is all zeros`,
      );
      bits.set(`${store.name}: ${name}`, new Uint32Array(values.buffer));
    }
  }
  const { calls } = program.plan;
  program.destroy();
  storage.destroy();
  return {
    losses,
    bits,
    variants: new Map(calls.map(({ kernel, problem, call }) => [tuningKey({ kernel, problem }), call.variant])),
    cut: new Set(
      calls
        .filter(({ call }) => call.dispatches.some(({ windows }) => windows !== undefined))
        .map(({ kernel }) => kernel.name),
    ),
  };
}

/** What either limit cuts. */
const CUT = ['add', 'batch_norm_gradient', 'convolution_statistics', 'max_pool', 'max_pool_gradient', 'normalize'];

for (const [title, limits, alsoCut] of [
  [
    'whose activations no binding holds',
    { maxBindingBytes: SMALL_BINDING },
    ['convolution_data_gradient', 'convolution_weight_gradient'],
  ],
  ['whose dispatches no grid holds', { maxWorkgroupsPerDimension: SMALL_GRID }, []],
] as const) {
  test(`a ResNet ${title}: training has the bits of the unsliced run`, async () => {
    const sliced = await train(limits);
    for (const kernel of [...CUT, ...alsoCut])
      assert.ok(sliced.cut.has(kernel), `${kernel} was not cut, but ${[...sliced.cut].join(', ')}`);
    // What a limit rules out (Winograd's scratch, splits that end within an image) the unsliced run does without, too.
    const whole = await train({}, { select: () => Promise.resolve(sliced.variants) });
    assert.is(whole.cut.size, 0);
    assert.equal(whole.variants, sliced.variants);
    assert.equal(sliced.losses, whole.losses);
    assert.ok(whole.losses[1] < whole.losses[0], `losses ${whole.losses.join(', ')}`);
    for (const [name, bits] of whole.bits) assert.equal(sliced.bits.get(name), bits, name);
  });
}

test.run();
