// npm run bench:predict
// Writes docs/kernels/predictions.md: what the cost model says of ResNet50 on GPUs that nobody here has measured.
import { mkdirSync, writeFileSync } from 'node:fs';
import { gatherCalls, type ConvolutionShape, type Direction } from '../kernels/convolution.ts';
import { GPUS, peakMatrixTeraflops, peakTeraflops, predict, type GpuDescription, type Prediction } from '../kernels/cost-model.ts';
import { softmaxCrossEntropy } from '../src/autodiff/ops/losses.ts';
import { plan, type PlannedCall } from '../src/autodiff/plan.ts';
import { input } from '../src/autodiff/tensor.ts';
import type { AdapterTraits, MatrixUnits } from '../src/gpu/dispatch.ts';
import { sgdSettings, trainingUpdate } from '../src/nn/optimizers.ts';
import { Classifier } from '../src/nn/retrieval-network.ts';

const SIZE = 224;
const BATCHES = [4, 32];
/** The limits that all four devices have. */
const TRAITS: AdapterTraits = { kind: 'gpu', subgroupSize: 32, maxWorkgroupInvocations: 256, maxWorkgroupStorageBytes: 32768, maxWorkgroupsPerDimension: 65535 };

/** What the drivers list for Dawn, in the order of GPUS. */
const UNITS: readonly MatrixUnits[] = [
  { products: [{ component: 'f16', rows: 16, columns: 16, depth: 16 }], subgroupSizes: [32, 32] },
  { products: [{ component: 'f16', rows: 16, columns: 16, depth: 16 }], subgroupSizes: [32, 32] },
  { products: [{ component: 'f32', rows: 8, columns: 8, depth: 8 }], subgroupSizes: [32, 32] },
  { products: [{ component: 'f16', rows: 8, columns: 16, depth: 16 }], subgroupSizes: [16, 32] },
];

type Work = 'training step' | 'inference';

function planOf(work: Work, batch: number): readonly PlannedCall[] {
  const network = new Classifier({ classes: 1000 });
  const images = input('images', [batch, SIZE, SIZE, 4]);
  const options = { traits: TRAITS, maxBufferBytes: 2 ** 40 };
  if (work === 'inference') return plan({ ...options, outputs: [network.apply(images, 'eval').logits], updates: [] }).calls;
  const { logits, batchStatistics } = network.apply(images, 'train');
  const loss = softmaxCrossEntropy(logits, input('labels', [batch], 'u32'));
  const { updates } = trainingUpdate(network, loss, batchStatistics, sgdSettings(1e-4, 0.9));
  return plan({ ...options, outputs: [loss], updates }).calls;
}

/** The shortest time that any of the kernel's variants is predicted to take. */
function fastest({ kernel, node, cost, call }: PlannedCall, gpu: GpuDescription): number {
  const variants = call.product === undefined ? [call] : kernel.calls(node.attributes as never, TRAITS);
  return Math.min(...variants.filter(({ product }) => (product === undefined) === (call.product === undefined)).map((variant) => predict(variant, cost, gpu).time));
}

interface Row {
  readonly planned: PlannedCall;
  count: number;
}

/** Calls of one kernel at one shape, in the order in which they first occur. */
function distinct(calls: readonly PlannedCall[]): Row[] {
  const rows = new Map<string, Row>();
  for (const planned of calls) {
    const key = JSON.stringify([planned.kernel.name, planned.cost, planned.call.variant, planned.call.product === undefined ? 0 : planned.node.attributes]);
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { planned, count: 1 });
    else row.count++;
  }
  return [...rows.values()];
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const figure = (value: number): string => value.toPrecision(3).replace(/\.?0+$/, (zeros) => (zeros.startsWith('.') ? '' : zeros));
const milliseconds = (microseconds: number): string => (microseconds / 1000).toFixed(microseconds < 1e4 ? 2 : 1);
const describeShape = ({ batch, height, width, inputChannels, outputChannels, kernel, stride }: ConvolutionShape): string =>
  `${kernel.join('x')}${stride[0] > 1 ? `/${stride[0]}` : ''} ${batch}x${height}x${width}x${inputChannels} to ${outputChannels}`;
const SHORT_BOUND: Readonly<Record<Prediction['bound'], string>> = { arithmetic: '', latency: ' L', cache: ' C', memory: ' M', launch: ' D' };

function convolutionTable(calls: readonly PlannedCall[]): string {
  const rows = distinct(calls.filter(({ call }) => call.product !== undefined));
  const head = ['kernel', 'shape', 'times', 'tile, parts', 'GFLOP', 'MB', 'workgroups', 'registers', 'KiB', ...GPUS.map(({ name }) => `${name}: us, rounds, % of peak`)];
  return table(
    head,
    rows.map(({ planned: { kernel, call, cost, node }, count }) => {
      const predictions = GPUS.map((gpu) => predict(call, cost, gpu));
      const { flop, bytes, workgroups, tiled } = predictions[0];
      if (tiled === undefined) throw new Error(`${kernel.name}: ${call.variant} is not tiled`);
      return [
        kernel.name,
        describeShape(node.attributes as ConvolutionShape),
        String(count),
        `${tiled.tile}${tiled.splits > 1 ? `, ${tiled.splits}` : ''}`,
        figure(flop / 1e9),
        figure(bytes / 1e6),
        String(workgroups),
        String(tiled.registers),
        figure(tiled.workgroupBytes / 1024),
        ...predictions.map(({ time, bound, tiled: each }, index) => `${figure(time)}${SHORT_BOUND[bound]}, ${figure(each?.rounds ?? 0)}, ${Math.round((100 * flop) / (time * 1e6 * peakTeraflops(GPUS[index])))}`),
      ];
    }),
  );
}

function totalsTable(calls: readonly PlannedCall[]): string {
  const families = [...new Set(calls.map(({ kernel }) => kernel.name))];
  const sum = (chosen: readonly PlannedCall[], time: (call: PlannedCall) => number): number => chosen.reduce((total, call) => total + time(call), 0);
  const rows = families.map((family) => {
    const own = calls.filter(({ kernel }) => kernel.name === family);
    const cost = (key: 'flop' | 'bytes'): number => sum(own, (call) => call.cost[key]);
    return { family, own, cells: [family, String(own.length), figure(cost('flop') / 1e9), figure(cost('bytes') / 1e6)] };
  });
  return table(
    ['kernel', 'calls', 'GFLOP', 'MB', ...GPUS.map(({ name }) => `${name}: ms`)],
    [
      ...rows.map(({ own, cells }) => [...cells, ...GPUS.map((gpu) => milliseconds(sum(own, ({ call, cost }) => predict(call, cost, gpu).time)))]),
      ['**all**', String(calls.length), figure(sum(calls, ({ cost }) => cost.flop) / 1e9), figure(sum(calls, ({ cost }) => cost.bytes) / 1e6), ...GPUS.map((gpu) => `**${milliseconds(sum(calls, ({ call, cost }) => predict(call, cost, gpu).time))}**`)],
      ['all, each product by the variant that is fastest there', '', '', '', ...GPUS.map((gpu) => `**${milliseconds(sum(calls, (call) => fastest(call, gpu)))}**`)],
    ],
  );
}

/** The shortest prediction for a convolution with or without matrix units, in the type that the GPU's units take. */
function byUnits({ node, cost }: PlannedCall, direction: Direction, index: number): { readonly units: Prediction; readonly lanes: Prediction } {
  const matrixUnits = UNITS[index];
  const { component } = matrixUnits.products[0];
  const names = { source: 'source', destination: 'destination' };
  const calls = gatherCalls(node.attributes as ConvolutionShape, direction, undefined, { ...TRAITS, f16: true, matrixUnits }, names, component);
  const own = component === 'f16' ? { ...cost, bytes: cost.bytes / 2 } : cost;
  const best = (matrix: boolean): Prediction =>
    calls
      .filter(({ product }) => product !== undefined && (product.matrix !== undefined) === matrix)
      .map((call) => predict(call, own, GPUS[index]))
      .reduce((a, b) => (b.time < a.time ? b : a));
  return { units: best(true), lanes: best(false) };
}

function unitsTable(calls: readonly PlannedCall[]): string {
  const convolutions = calls.filter(({ call }) => call.product !== undefined);
  const directions = { convolution_statistics: 'forward', convolution_data_gradient: 'dataGradient' } as const;
  const rows = Object.entries(directions).flatMap(([kernel, direction]) => distinct(convolutions.filter((planned) => planned.kernel.name === kernel)).map((row) => ({ ...row, direction })));
  const sums = GPUS.map(() => ({ units: 0, lanes: 0 }));
  const cells = rows.map(({ planned, count, direction }) => [
    direction === 'forward' ? 'forward' : 'data gradient',
    describeShape(planned.node.attributes as ConvolutionShape),
    String(count),
    figure(planned.cost.flop / 1e9),
    ...GPUS.map((gpu, index) => {
      const { units, lanes } = byUnits(planned, direction, index);
      sums[index].units += count * units.time;
      sums[index].lanes += count * lanes.time;
      const share = (100 * planned.cost.flop) / (units.time * 1e6 * peakMatrixTeraflops(gpu, UNITS[index].products[0].component));
      return `${units.tiled?.tile}${units.tiled?.splits === 1 ? '' : `, ${units.tiled?.splits}`}: ${figure(units.time)}${SHORT_BOUND[units.bound]}, ${Math.round(share)}, ${figure(lanes.time)}`;
    }),
  ]);
  return table(
    ['direction', 'shape', 'times', 'GFLOP', ...GPUS.map(({ name }) => `${name}: tile, parts: us, % of its units' peak, us by lanes`)],
    [...cells, ['**all**', '', '', '', ...sums.map(({ units, lanes }) => `**${milliseconds(units)}** ms by units, ${milliseconds(lanes)} by lanes`)]],
  );
}

const unitSections = BATCHES.map((batch) => `### Batch ${batch}\n\n${unitsTable(planOf('training step', batch))}\n`);

const sections = (['training step', 'inference'] as const).flatMap((work) =>
  BATCHES.map((batch) => {
    const calls = planOf(work, batch);
    return `## ResNet50, ${work}, batch ${batch}, ${SIZE}x${SIZE}\n\n${totalsTable(calls)}\n\n${convolutionTable(calls)}\n`;
  }),
);

const text = `# Predictions

Made by \`npm run bench:predict\` from kernels/cost-model.ts; do not edit. **None of these figures was measured.** No GPU was at hand: they are here so
that a measurement can prove them wrong, and with them the choice of tiles.

A tiled product is counted: instructions of a step (multiply-adds, vector reads of workgroup memory, staging, addresses); how many workgroups a
compute unit holds, by registers and workgroup memory; the time its loads take where those are too few to hide it; whole and partial rounds of
workgroups over the compute units; bytes through the shared cache and the memory. Everything else is a roofline at 85 % of the memory's
bandwidth. Each dispatch costs 3 us more. Registers are an estimate of what a good compiler needs; nobody has read a compiled kernel.
Not counted: bank conflicts, what a compiler fails to keep in registers, clocks below the boost clock, zeroing of workgroup memory,
clamped indices in a browser. All of them make a kernel slower, so the figures are rather a lower bound of the time.

Bounds: none = arithmetic, L = latency of loads, C = shared cache, M = memory, D = launches of the dispatches. "Rounds" is workgroups over
those that all compute units hold at once: below 1, some stay idle. The plan takes one variant for all GPUs, ordered for a GPU in the
middle; the last line of each first table is what a tuner could choose.

${table(
  ['device', 'TFLOP/s', 'GB/s', 'compute units', 'registers a unit', 'workgroup KiB a unit', 'invocations a unit', 'where from'],
  GPUS.map((gpu) => [
    gpu.name,
    peakTeraflops(gpu).toFixed(1),
    String(gpu.memoryBandwidth),
    String(gpu.computeUnits),
    String(gpu.registers),
    String(gpu.workgroupMemory / 1024),
    String(gpu.residentInvocations),
    gpu.assumptions,
  ]),
)}

Others' measurements beside it (kvark/inferena, September 2026): an RTX 5070 takes 29.6 ms with the best WGSL kernels known and 14.9 ms with PyTorch in strict
float32 for forward, loss and backward at batch 4; for inference at batch 4, 4.6 ms on the GPU and 6.6 ms.

${sections.join('\n')}
## Matrix units: the training step's convolutions, forward and data gradient

The shortest prediction of \`convolution_matrix.wgsl\` beside the shortest of the tiles that multiply by lanes, both without statistics. Numbers of 16 bits with float32
sums on NVIDIA and Intel, as in \`convolution_f16\` (products of ${UNITS[0].products[0].rows}x${UNITS[0].products[0].columns}x${UNITS[0].products[0].depth} and 8x16x16); float32 on Apple (8x8x8), whose 16-bit units sum in 16 bits. A step's clocks are the longer of the units'
multiplication and the subgroups' loads from workgroup memory (128 bytes a clock), plus staging as above; a workgroup's sums pass through workgroup memory once
more at the end. Rates: ${GPUS.map(({ name, matrixTeraflops }) => `${name} ${Object.entries(matrixTeraflops).map(([component, rate]) => `${rate} TFLOP/s (${component})`).join(', ')}`).join('; ')}; the first table says where from.

${unitSections.join('\n')}`;

const folder = new URL('../docs/kernels/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('predictions.md', folder), text);
