import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolution } from '../../kernels/convolution/forward.ts';
import { HALF, type ConvolutionShape } from '../../kernels/convolution/problem.ts';
import { convolutionWeightGradient } from '../../kernels/convolution/weight-gradient.ts';
import { fastestFirst } from '../../kernels/select.ts';
import { GPUS, type GpuDescription } from '../../kernels/gpus.ts';
import {
  peakMatrixTeraflops,
  peakTeraflops,
  predict,
  registersOf,
  residentWorkgroups,
} from '../../kernels/cost-model.ts';
import type { KernelCall } from '../../kernels/kernel.ts';
import { chooseSplitK, type Tile, type TiledProduct } from '../../kernels/contract/tiles.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import * as shaders from '../../shaders/generated/shaders.ts';

/** Ten units of 64 lanes at 1 GHz: a microsecond is a thousand clocks. */
const GPU: GpuDescription = {
  name: 'plain',
  computeUnits: 10,
  lanes: 64,
  gigahertz: 1,
  matrixTeraflops: { f16: 10.24 },
  memoryBandwidth: 1000,
  cacheBandwidth: 1e6,
  registers: 65536,
  workgroupMemory: 65536,
  residentInvocations: 1024,
  residentWorkgroups: 16,
  assumptions: 'none: made up',
};
const TILE: Tile = { rows: 64, columns: 64, depth: 16, rowsEach: 8, columnsEach: 8 };
const SMALL_TILE: Tile = { rows: 16, columns: 16, depth: 8, rowsEach: 4, columnsEach: 4 };
/** Microseconds of a dispatch, as in the model. */
const LAUNCH = 4;
const TRAITS: AdapterTraits = {
  kind: 'gpu',
  subgroupSize: 0,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 32768,
  maxWorkgroupsPerDimension: 65535,
};

const product = (changes: Partial<TiledProduct>): TiledProduct => ({
  tile: TILE,
  tiles: 10,
  splitK: 1,
  kTiles: 100,
  workgroupBytes: 8192,
  stagingOperations: 10,
  results: 1000,
  elementBytes: 4,
  ...changes,
});
const callOf = (changes: Partial<TiledProduct>): KernelCall => ({
  variant: 'x',
  operands: {},
  dispatches: [{ shader: shaders.convolutionTiled, operands: [], workgroups: [1, 1, 1] }],
  product: product(changes),
});
const FREE = { flop: 0, bytes: 0 };
const timeOf = (changes: Partial<TiledProduct>): number => predict(callOf(changes), FREE, GPU).time;

test('registers and workgroup memory limit the workgroups that a unit holds', () => {
  // 8x8 sums, a block of 4x8 and one of 4, 32 numbers on their way, 24 others.
  assert.is(registersOf(product({})), 64 + 32 + 4 + 32 + 24);
  assert.is(residentWorkgroups(product({}), { ...GPU, registers: 156 * 64 * 3 }), 3);
  assert.is(residentWorkgroups(product({ workgroupBytes: 30000 }), GPU), 2);
  assert.is(residentWorkgroups(product({}), GPU), 6);
  assert.is(residentWorkgroups(product({}), { ...GPU, residentInvocations: 128 }), 2);
});

test('a step issues its multiply-adds, its reads of workgroup memory, its staging and its overhead', () => {
  // 16 depths of 64 multiply-adds, 4 x 16 vector reads, 8 vectors loaded and stored and 10 operations, 24 of overhead;
  // one workgroup of 64 on 64 lanes; 101 steps with the first load; the launch.
  assert.ok(Math.abs(timeOf({}) - (101 * (1.65 * 1024 + 5 * 64 + 4 * (16 + 10) + 24)) / 1000 - LAUNCH) < 1e-9);
});

test('a step of matrix units multiplies or loads, whichever takes longer, and stages; its sums pass through workgroup memory', () => {
  const tile: Tile = { rows: 64, columns: 64, depth: 32, rowsEach: 32, columnsEach: 1 };
  const matrix = { component: 'f16', rows: 32, columns: 32 } as const;
  // 1024 operations a clock and unit: 256 clocks. 128 invocations on 64 lanes stage 8 vectors each, 10 operations and
  // 24 of overhead.
  const staging = 2 * (4 * (16 + 10) + 24);
  const finish = (2 * 4 * 64 * 64) / 128;
  assert.ok(
    Math.abs(
      timeOf({ tile, matrix, elementBytes: 2, kTiles: 999 }) -
        (1000 * Math.max(256 + staging, 1300) + finish) / 1000 -
        LAUNCH,
    ) < 1e-9,
    'one workgroup waits for its loads',
  );
  const many = { tile, matrix, elementBytes: 2, kTiles: 999, tiles: 50 };
  assert.is(residentWorkgroups(product(many), GPU), 5);
  assert.ok(Math.abs(timeOf(many) - (1000 * 5 * (256 + staging) + 5 * finish) / 1000 - LAUNCH) < 1e-9, 'five do not');
  // Blocks of 16 x 16 load 16 times (16 + 16) x 32 numbers of two bytes, 128 bytes a clock: 256 clocks; blocks of 8 x 8
  // twice that.
  assert.is(timeOf({ ...many, matrix: { ...matrix, rows: 16, columns: 16 } }), timeOf(many));
  assert.ok(Math.abs(timeOf({ ...many, matrix: { ...matrix, rows: 8, columns: 8 } }) - timeOf(many) - 5 * 256) < 1e-9);
});

test('a workgroup more than the units hold costs a round of its own, and an idle unit saves nothing', () => {
  const one = timeOf({ tiles: 1 });
  assert.is(timeOf({ tiles: 10 }), one);
  assert.ok(timeOf({ tiles: 11 }) > 1.9 * (one - LAUNCH));
  // Sixty are held at once; the unit's lanes take turns.
  assert.is(predict(callOf({ tiles: 60 }), FREE, GPU).tiled?.rounds, 1);
});

test('where little is calculated in a step, its loads decide', () => {
  const alone = predict(callOf({ tile: SMALL_TILE, tiles: 10 }), FREE, GPU);
  assert.is(alone.bound, 'latency');
  const crowded = predict(callOf({ tile: SMALL_TILE, tiles: 1600, kTiles: 1000, workgroupBytes: 1024 }), FREE, GPU);
  assert.is(crowded.bound, 'arithmetic');
});

test('memory, cache and launch bound a product too, and its partial sums are written and read', () => {
  assert.is(predict(callOf({}), { flop: 0, bytes: 1e9 }, GPU).bound, 'memory');
  assert.is(predict(callOf({}), FREE, { ...GPU, cacheBandwidth: 1 }).bound, 'cache');
  assert.is(predict(callOf({ tile: SMALL_TILE, kTiles: 1 }), FREE, GPU).bound, 'launch');
  assert.is(predict(callOf({ splitK: 4 }), { flop: 0, bytes: 100 }, GPU).bytes, 100 + 2 * 4 * 4 * 1000);
});

test('a call without tiles is a roofline', () => {
  const call: KernelCall = {
    variant: 'x',
    operands: {},
    dispatches: [{ shader: shaders.copy, operands: [], workgroups: [3, 2, 1] }],
  };
  const copied = predict(call, { flop: 0, bytes: 8.5e8 }, GPU);
  assert.ok(Math.abs(copied.time - 1000 - LAUNCH) < 1e-9);
  assert.equal([copied.bound, copied.workgroups], ['memory', 6]);
  assert.is(predict(call, { flop: 1.28e12, bytes: 0 }, GPU).bound, 'arithmetic');
});

test('no prediction beats the peak or the memory of its device', () => {
  for (const gpu of GPUS) {
    for (const shape of SHAPES) {
      for (const kernel of [convolution, convolutionWeightGradient]) {
        const cost = kernel.cost(shape);
        for (const call of kernel.calls(shape, TRAITS)) {
          const { time } = predict(call, cost, gpu);
          assert.ok(time > cost.flop / (1e6 * peakTeraflops(gpu)), `${gpu.name}: ${call.variant}`);
          assert.ok(time > cost.bytes / (1e3 * gpu.memoryBandwidth), `${gpu.name}: ${call.variant}`);
        }
      }
    }
  }
});

test('no prediction for matrix units beats their peak, and on one that has them they come first', () => {
  const f16: AdapterTraits = {
    ...TRAITS,
    f16: true,
    matrixUnits: { products: [{ component: 'f16', rows: 16, columns: 16, depth: 16 }], subgroupSizes: [32, 32] },
  };
  for (const shape of SHAPES) {
    const half = { ...shape, ...HALF };
    const cost = convolution.cost(half);
    const calls = convolution.calls(half, f16);
    assert.match(calls[0].variant, /^matrix/);
    for (const gpu of GPUS) {
      for (const call of calls.filter(({ product }) => product?.matrix !== undefined)) {
        assert.ok(
          predict(call, cost, gpu).time > cost.flop / (1e6 * peakMatrixTeraflops(gpu, 'f16')),
          `${gpu.name}: ${call.variant}`,
        );
      }
    }
  }
});

test('the data sheets give the peaks that the vendors state', () => {
  const peaks = Object.fromEntries(GPUS.map((gpu) => [gpu.name, peakTeraflops(gpu)]));
  assert.ok(Math.abs(peaks['NVIDIA H200 SXM'] - 67) < 0.5);
  assert.ok(Math.abs(peaks['NVIDIA RTX 5070'] - 30.8) < 0.2);
});

test('reductions are split until a GPU is busy, but not into crumbs', () => {
  assert.is(chooseSplitK(1000, 1000, 192, 8), 1);
  assert.is(chooseSplitK(100, 1000, 192, 8), 2);
  assert.is(chooseSplitK(1, 1000, 192, 8), 64);
  assert.is(chooseSplitK(1, 20, 192, 8), 2);
  assert.is(chooseSplitK(1, 15, 192, 8), 1);
});

test('many pixels choose large tiles, few pixels small ones or split-K', () => {
  const [large, small] = [SHAPES[0], SHAPES[1]].map(
    (shape) => convolution.calls(shape, TRAITS)[0].product as TiledProduct,
  );
  assert.ok(large.tile.rows * large.tile.columns >= 128 * 64, JSON.stringify(large));
  assert.is(large.splitK, 1);
  assert.ok(small.tiles * small.splitK >= 96, JSON.stringify(small));
  const cost = convolution.cost(SHAPES[0]);
  const times = fastestFirst(convolution.calls(SHAPES[0], TRAITS), cost).map(
    (call) => predict(call, cost, GPUS[0]).time,
  );
  assert.is(times.length, convolution.calls(SHAPES[0], TRAITS).length);
});

test('workgroups of every tiled weight gradient come to four a compute unit where the pixels allow it', () => {
  for (const { product } of convolutionWeightGradient.calls(SHAPES[2], TRAITS)) {
    if (product !== undefined) assert.ok(product.tiles * product.splitK >= 4 * 96 * 0.9, JSON.stringify(product));
  }
});

const SHAPES: readonly ConvolutionShape[] = [
  {
    batch: 32,
    height: 28,
    width: 28,
    inputChannels: 512,
    outputChannels: 512,
    kernel: [1, 1],
    stride: [1, 1],
    padding: [0, 0],
  },
  {
    batch: 1,
    height: 7,
    width: 7,
    inputChannels: 512,
    outputChannels: 512,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
  },
  {
    batch: 4,
    height: 224,
    width: 224,
    inputChannels: 4,
    outputChannels: 64,
    kernel: [7, 7],
    stride: [2, 2],
    padding: [3, 3],
  },
];

test('a pass that lays a factor out costs its bytes, and the product reads what it wrote', () => {
  const [call] = convolution.calls(SHAPES[0], TRAITS);
  const cost = convolution.cost(SHAPES[0]);
  const [gpu] = GPUS;
  const plain = predict(call, cost, gpu);
  const [from, to] = [1e6, 9e9];
  const behind = predict({ ...call, product: { ...(call.product as TiledProduct), laidOut: { from, to } } }, cost, gpu);
  assert.is(behind.bytes, plain.bytes + 2 * to);
  assert.is(behind.bound, 'memory');
  assert.ok(behind.time > (2 * to) / (1e3 * gpu.memoryBandwidth));
});

test.run();
