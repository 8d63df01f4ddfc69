// The text of docs/kernels/predictions.md: what the cost model says of every kernel on GPUs that nobody here has
// measured.
import type { Direction } from '../kernels/convolution/gather.ts';
import type { ConvolutionShape } from '../kernels/convolution/problem.ts';
import { convolutionDataGradient } from '../kernels/convolution/data-gradient.ts';
import { convolution } from '../kernels/convolution/forward.ts';
import { GPUS, type GpuDescription } from '../kernels/gpus.ts';
import { peakMatrixTeraflops, peakTeraflops, predict, residentAtOnce, type Prediction } from '../kernels/cost-model.ts';
import { convolutionWeightGradient } from '../kernels/convolution/weight-gradient.ts';
import type { AnyKernel, Cost, KernelCall } from '../kernels/kernel.ts';
import { benchNames, loadBench } from '../bench/support/catalogue.ts';
import { problemsOf } from '../bench/support/kernel-bench.ts';
import { softmaxCrossEntropy } from '../src/autodiff/ops/losses.ts';
import { plan, type PlannedCall } from '../src/autodiff/plan.ts';
import { input } from '../src/autodiff/tensor.ts';
import type { AdapterTraits, MatrixUnits } from '../kernels/contract/dispatch.ts';
import { adamSettings, sgdSettings } from '../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../src/nn/training-update.ts';
import { Classifier, RetrievalNetwork } from '../src/nn/retrieval-network.ts';
import { DEFAULT_LOSSES, retrievalObjective } from '../src/training/objectives.ts';
import { PAPER_RECIPE } from '../src/training/recipe.ts';
import { ALL_KERNELS } from '../kernels/index.ts';
import { resourcesOf } from './shader-resources.ts';

const SIZE = 224;
const BATCHES = [4, 32];
/** The limits that all four devices have. */
const TRAITS: AdapterTraits = {
  kind: 'gpu',
  subgroupSize: 32,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 32768,
  maxWorkgroupsPerDimension: 65535,
};

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
  if (work === 'inference')
    return plan({ ...options, outputs: [network.apply(images, 'eval').logits], updates: [] }).calls;
  const { logits, batchStatistics } = network.apply(images, 'train');
  const loss = softmaxCrossEntropy(logits, input('labels', [batch], 'u32'));
  const { updates } = trainingUpdate(network, loss, batchStatistics, sgdSettings(1e-4, 0.9));
  return plan({ ...options, outputs: [loss], updates }).calls;
}

/** A step of the paper's recipe with a teacher, its batch normalisation training or frozen. */
function retrievalPlan(batchNorm: 'train' | 'frozen'): readonly PlannedCall[] {
  const [classes, teacherClasses] = [125, 1000];
  const { classesPerBatch, imagesPerDomain, network: settings, optimizer } = PAPER_RECIPE;
  const network = new RetrievalNetwork({ ...settings, classes, teacherClasses });
  const shape = { count: 2 * classesPerBatch * imagesPerDomain, sourceSize: SIZE, size: SIZE };
  const { loss, batchStatistics } = retrievalObjective(
    network,
    shape,
    DEFAULT_LOSSES,
    { kind: 'class-oriented', knowledge: new Float32Array(classes * teacherClasses) },
    batchNorm,
  );
  const { updates } = trainingUpdate(network, loss, batchStatistics, adamSettings(optimizer.weightDecay));
  return plan({ outputs: [loss], updates, traits: TRAITS, maxBufferBytes: 2 ** 40 }).calls;
}

/** The shortest time that any of the kernel's variants is predicted to take. */
function fastest({ kernel, problem, cost, call }: PlannedCall, gpu: GpuDescription): number {
  const variants = call.product === undefined ? [call] : kernel.calls(problem as never, TRAITS);
  return Math.min(
    ...variants
      .filter(({ product }) => (product === undefined) === (call.product === undefined))
      .map((variant) => predict(variant, cost, gpu).time),
  );
}

interface Row {
  readonly planned: PlannedCall;
  count: number;
}

/** Calls of one kernel at one shape, in the order in which they first occur. */
function distinct(calls: readonly PlannedCall[]): Row[] {
  const rows = new Map<string, Row>();
  for (const planned of calls) {
    const key = JSON.stringify([
      planned.kernel.name,
      planned.cost,
      planned.call.variant,
      planned.call.product === undefined ? 0 : planned.node.attributes,
    ]);
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { planned, count: 1 });
    else row.count++;
  }
  return [...rows.values()];
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const figure = (value: number): string =>
  value >= 1000
    ? value.toFixed(0)
    : value.toPrecision(3).replace(/\.?0+$/, (zeros) => (zeros.startsWith('.') ? '' : zeros));
const milliseconds = (microseconds: number): string => (microseconds / 1000).toFixed(microseconds < 1e4 ? 2 : 1);
const describeShape = ({
  batch,
  height,
  width,
  inputChannels,
  outputChannels,
  kernel,
  stride,
}: ConvolutionShape): string =>
  `${kernel.join('x')}${stride[0] > 1 ? `/${stride[0]}` : ''} ${batch}x${height}x${width}x${inputChannels} to ${outputChannels}`;
const SHORT_BOUND: Readonly<Record<Prediction['bound'], string>> = {
  arithmetic: '',
  latency: ' L',
  cache: ' C',
  memory: ' M',
  launch: ' D',
};

function convolutionTable(calls: readonly PlannedCall[]): string {
  const rows = distinct(calls.filter(({ call }) => call.product !== undefined));
  const head = [
    'kernel',
    'shape',
    'times',
    'tile, parts',
    'GFLOP',
    'MB',
    'workgroups',
    'registers',
    'KiB',
    ...GPUS.map(({ name }) => `${name}: us, rounds, % of peak`),
  ];
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
        `${tiled.tile}${tiled.splitK > 1 ? `, ${tiled.splitK}` : ''}`,
        figure(flop / 1e9),
        figure(bytes / 1e6),
        String(workgroups),
        String(tiled.registers),
        figure(tiled.workgroupBytes / 1024),
        ...predictions.map(
          ({ time, bound, tiled: each }, index) =>
            `${figure(time)}${SHORT_BOUND[bound]}, ${figure(each?.rounds ?? 0)}, ${Math.round((100 * flop) / (time * 1e6 * peakTeraflops(GPUS[index])))}`,
        ),
      ];
    }),
  );
}

function totalsTable(calls: readonly PlannedCall[]): string {
  const families = [...new Set(calls.map(({ kernel }) => kernel.name))];
  const sum = (chosen: readonly PlannedCall[], time: (call: PlannedCall) => number): number =>
    chosen.reduce((total, call) => total + time(call), 0);
  const rows = families.map((family) => {
    const own = calls.filter(({ kernel }) => kernel.name === family);
    const cost = (key: 'flop' | 'bytes'): number => sum(own, (call) => call.cost[key]);
    return {
      family,
      own,
      cells: [family, String(own.length), figure(cost('flop') / 1e9), figure(cost('bytes') / 1e6)],
    };
  });
  return table(
    ['kernel', 'calls', 'GFLOP', 'MB', ...GPUS.map(({ name }) => `${name}: ms`)],
    [
      ...rows.map(({ own, cells }) => [
        ...cells,
        ...GPUS.map((gpu) => milliseconds(sum(own, ({ call, cost }) => predict(call, cost, gpu).time))),
      ]),
      [
        '**all**',
        String(calls.length),
        figure(sum(calls, ({ cost }) => cost.flop) / 1e9),
        figure(sum(calls, ({ cost }) => cost.bytes) / 1e6),
        ...GPUS.map((gpu) => `**${milliseconds(sum(calls, ({ call, cost }) => predict(call, cost, gpu).time))}**`),
      ],
      [
        'all, each product by the variant that is fastest there',
        '',
        '',
        '',
        ...GPUS.map((gpu) => `**${milliseconds(sum(calls, (call) => fastest(call, gpu)))}**`),
      ],
    ],
  );
}

/** One kernel at work on one problem. */
interface Example {
  readonly kernel: AnyKernel;
  readonly problem: unknown;
  readonly call: KernelCall;
  readonly cost: Cost;
  readonly from: string;
}

/**
 * Of each kernel the largest and the smallest of its problems in ResNet50's and the paper's steps; where it is in
 * neither, the largest of its bench.
 */
async function examples(): Promise<readonly Example[]> {
  const plans: readonly (readonly [string, readonly PlannedCall[]])[] = [
    ['training step, batch 32', planOf('training step', 32)],
    ['inference, batch 32', planOf('inference', 32)],
    ["the paper's step, batch 48", retrievalPlan('train')],
    ["the paper's step with frozen statistics", retrievalPlan('frozen')],
  ];
  const inPlans = plans.flatMap(([from, calls]) =>
    calls.map(({ kernel, problem, call, cost }): Example => ({ kernel, problem, call, cost, from })),
  );
  const inBenches: Example[] = [];
  for (const name of benchNames()) {
    const bench = await loadBench(name);
    for (const problem of Object.values(problemsOf(bench, { batch: 32, size: SIZE }))) {
      const [call] = bench.kernel.calls(problem, { ...TRAITS, f16: true });
      if (call !== undefined)
        inBenches.push({
          kernel: bench.kernel as AnyKernel,
          problem,
          call,
          cost: bench.kernel.cost(problem),
          from: 'bench',
        });
    }
  }
  return ALL_KERNELS.filter(({ name }) => !name.startsWith('measure_')).flatMap((kernel) => {
    const own = (all: readonly Example[]): Example[] =>
      all.filter((example) => example.kernel.name === kernel.name).sort((a, b) => b.cost.bytes - a.cost.bytes);
    const planned = own(inPlans);
    const [largest] = planned.length > 0 ? planned : own(inBenches);
    if (largest === undefined) {
      const problem = kernel.cases[kernel.cases.length - 1];
      const [call] = kernel.calls(problem as never, { ...TRAITS, f16: true });
      return [{ kernel, problem, call, cost: kernel.cost(problem as never), from: 'its last test case' }];
    }
    const smallest = planned.at(-1);
    return smallest === undefined || smallest.cost.bytes === largest.cost.bytes ? [largest] : [largest, smallest];
  });
}

const isConvolution = (problem: unknown): problem is ConvolutionShape =>
  typeof problem === 'object' && problem !== null && 'inputChannels' in problem;

/** A problem in a few words: its numbers and flags by name. */
function describeProblem(problem: unknown): string {
  if (isConvolution(problem)) return describeShape(problem);
  const text = (value: unknown): string =>
    Array.isArray(value)
      ? value.join('x')
      : typeof value === 'object'
        ? JSON.stringify(value).replace(/[{}"]/g, '')
        : String(value);
  return Object.entries(problem as object)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => (value === true ? name : `${name} ${text(value)}`))
    .join(', ');
}

function everyKernelTable(all: readonly Example[]): string {
  const head = [
    'kernel',
    'problem',
    'from',
    'variant',
    'GFLOP',
    'MB',
    'workgroups',
    'of',
    'registers',
    'KiB',
    ...GPUS.map(({ name }) => `${name}: us, rounds`),
  ];
  return table(
    head,
    all.map(({ kernel, problem, call, cost, from }) => {
      const count = ({ workgroups: [x, y, z] }: KernelCall['dispatches'][number]): number => x * y * z;
      const widest = call.dispatches.reduce((most, dispatch) => (count(dispatch) > count(most) ? dispatch : most));
      const declared = resourcesOf(widest);
      const [{ tiled, flop, bytes }] = GPUS.map((gpu) => predict(call, cost, gpu));
      const asked =
        tiled === undefined
          ? declared
          : { ...declared, registers: tiled.registers, workgroupBytes: tiled.workgroupBytes };
      return [
        kernel.name,
        describeProblem(problem),
        from,
        call.variant,
        figure(flop / 1e9),
        figure(bytes / 1e6),
        call.dispatches.map((dispatch) => String(count(dispatch))).join(' + '),
        String(declared.invocations),
        String(asked.registers),
        figure(asked.workgroupBytes / 1024),
        ...GPUS.map((gpu) => {
          const { time, bound } = predict(call, cost, gpu);
          return `${figure(time)}${SHORT_BOUND[bound]}, ${figure(count(widest) / (gpu.computeUnits * residentAtOnce(asked, gpu)))}`;
        }),
      ];
    }),
  );
}

type WayOfUnits = Direction | 'weightGradient';

/** The shortest prediction for a convolution with or without matrix units, in the type that the GPU's units take. */
function byUnits(
  { problem, cost }: PlannedCall,
  way: WayOfUnits,
  index: number,
): { readonly units: Prediction | undefined; readonly lanes: Prediction } {
  const matrixUnits = UNITS[index];
  const { component } = matrixUnits.products[0];
  const traits = { ...TRAITS, f16: true, matrixUnits };
  const kernel = {
    forward: convolution,
    dataGradient: convolutionDataGradient,
    weightGradient: convolutionWeightGradient,
  }[way];
  const typed = { ...(problem as ConvolutionShape), type: component };
  const calls = kernel.calls(typed, traits);
  const half = component === 'f16' ? { ...cost, bytes: cost.bytes / 2 } : cost;
  const own = way === 'weightGradient' ? kernel.cost(typed) : half;
  const sorted = (matrix: boolean): Prediction[] =>
    calls
      .filter(({ product }) => product !== undefined && (product.matrix !== undefined) === matrix)
      .map((call) => predict(call, own, GPUS[index]))
      .sort((a, b) => a.time - b.time);
  return { units: sorted(true).at(0), lanes: sorted(false)[0] };
}

function unitsTable(calls: readonly PlannedCall[]): string {
  const convolutions = calls.filter(({ call }) => call.product !== undefined);
  const directions = {
    convolution_statistics: 'forward',
    convolution_data_gradient: 'dataGradient',
    convolution_weight_gradient: 'weightGradient',
  } as const;
  const titles = { forward: 'forward', dataGradient: 'data gradient', weightGradient: 'weight gradient' } as const;
  const rows = Object.entries(directions).flatMap(([kernel, direction]) =>
    distinct(convolutions.filter((planned) => planned.kernel.name === kernel)).map((row) => ({ ...row, direction })),
  );
  const sumsOf = (ways: readonly WayOfUnits[]): string[] =>
    GPUS.map((_, index) => {
      const times = rows
        .filter(({ direction }) => ways.includes(direction))
        .map(({ planned, count, direction }) => ({ count, ...byUnits(planned, direction, index) }));
      const sum = (time: (row: (typeof times)[number]) => number): string =>
        milliseconds(times.reduce((total, row) => total + row.count * time(row), 0));
      return `**${sum(({ units, lanes }) => (units ?? lanes).time)}** ms by units, ${sum(({ lanes }) => lanes.time)} by lanes, ${sum(({ units, lanes }) => Math.min(units?.time ?? Infinity, lanes.time))} by the faster of both`;
    });
  const cells = rows.map(({ planned, count, direction }) => [
    titles[direction],
    describeShape(planned.problem as ConvolutionShape),
    String(count),
    figure(planned.cost.flop / 1e9),
    ...GPUS.map((gpu, index) => {
      const { units, lanes } = byUnits(planned, direction, index);
      if (units === undefined) return `by lanes alone: ${figure(lanes.time)}`;
      const share =
        (100 * planned.cost.flop) / (units.time * 1e6 * peakMatrixTeraflops(gpu, UNITS[index].products[0].component));
      return `${units.tiled?.tile}${units.tiled?.splitK === 1 ? '' : `, ${units.tiled?.splitK}`}: ${figure(units.time)}${SHORT_BOUND[units.bound]}, ${Math.round(share)}, ${figure(lanes.time)}`;
    }),
  ]);
  return table(
    [
      'direction',
      'shape',
      'times',
      'GFLOP',
      ...GPUS.map(({ name }) => `${name}: tile, parts: us, % of its units' peak, us by lanes`),
    ],
    [
      ...cells,
      ['**forward and data gradient**', '', '', '', ...sumsOf(['forward', 'dataGradient'])],
      ['**weight gradient**', '', '', '', ...sumsOf(['weightGradient'])],
    ],
  );
}

const unitSections = (): string[] =>
  BATCHES.map((batch) => `### Batch ${batch}\n\n${unitsTable(planOf('training step', batch))}\n`);

const sections = (): string[] =>
  (['training step', 'inference'] as const).flatMap((work) =>
    BATCHES.map((batch) => {
      const calls = planOf(work, batch);
      return `## ResNet50, ${work}, batch ${batch}, ${SIZE}x${SIZE}\n\n${totalsTable(calls)}\n\n${convolutionTable(calls)}\n`;
    }),
  );

/** All of docs/kernels/predictions.md. The same code gives the same text. */
export async function predictionsPage(): Promise<string> {
  return `# Predictions

Made by \`npm run bench:predict\` from kernels/cost-model.ts; do not edit. **None of these figures was measured.** They are here so
that a measurement can prove them wrong, and with them the choice of tiles. The first did so: before an NVIDIA H200 was at hand (26 November 2026) the model promised 21.4 ms for its training step at batch 32, which
took 63 with the kernels of that day; it counted one clock for a multiply-add and chose no Winograd. Its clocks have been fitted since, to the convolutions of batch 32 on that H200, and the kernels are others; what is measured now is in
[performance.md](../performance.md). Whether the fit holds for another maker's GPU nobody knows.

A tiled product is counted: instructions of a step (multiply-adds, vector reads of workgroup memory, staging, addresses); how many workgroups a
compute unit holds, by registers and workgroup memory; the time its loads take where those are too few to hide it; whole and partial rounds of
workgroups over the compute units; bytes through the shared cache and the memory. Everything else is a roofline at 85 % of the memory's
bandwidth. Each dispatch costs 4 us more. Registers are an estimate of what a good compiler needs; nobody has read a compiled kernel.
Not counted: bank conflicts, what a compiler fails to keep in registers, clocks below the boost clock, zeroing of workgroup memory,
clamped indices in a browser. All of them make a kernel slower, so the figures are rather a lower bound of the time.

Bounds: none = arithmetic, L = latency of loads, C = shared cache, M = memory, D = launches of the dispatches. "Rounds" is workgroups over
those that all compute units hold at once: below 1, some stay idle. The plan takes one variant for all GPUs, ordered for a GPU in the
middle; the last line of each first table is what a tuner could choose.

${table(
  [
    'device',
    'TFLOP/s',
    'GB/s',
    'compute units',
    'registers a unit',
    'workgroup KiB a unit',
    'invocations a unit',
    'where from',
  ],
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

## Every kernel

Of each kernel the largest and the smallest of its problems (by bytes) in ResNet50's training step and inference at batch 32 and in the paper's step at
batch 48, all at ${SIZE}x${SIZE}; what is in none of these stands here with the largest problem of its bench. Workgroups are given dispatch by dispatch, and the
columns behind them are of the dispatch that has most: invocations of a workgroup, registers of an invocation, workgroup memory. For what is
no tiled product, workgroup memory is read from the shader's declarations; registers are 24, an element of each operand, and every variable that the
functions declare, as if all were alive at once. Time is that of all dispatches together, its bound as above. Where rounds are far below 1 and the bound is
memory, most of the device idles and its whole bandwidth is out of reach: there the time is rather a lower bound.

${everyKernelTable(await examples())}

${sections().join('\n')}
## Matrix units: the training step's convolutions

The shortest prediction of \`convolution-matrix-units.wgsl\` beside the shortest of the tiles that multiply by lanes, both without statistics. Numbers of 16 bits with float32
sums on NVIDIA and Intel, as convolutions in f16 have them (products of ${UNITS[0].products[0].rows}x${UNITS[0].products[0].columns}x${UNITS[0].products[0].depth} and 8x16x16); float32 on Apple (8x8x8), whose 16-bit units sum in 16 bits. A step's clocks are the longer of the units'
multiplication and the subgroups' loads from workgroup memory (128 bytes a clock), plus staging as above; a workgroup's sums pass through workgroup memory once
more at the end. The weight gradient's patches of x are written as a matrix before, which is in its time. Rates: ${GPUS.map(
    ({ name, matrixTeraflops }) =>
      `${name} ${Object.entries(matrixTeraflops)
        .map(([component, rate]) => `${rate} TFLOP/s (${component})`)
        .join(', ')}`,
  ).join('; ')}; the first table says where from.

${unitSections().join('\n')}`;
}
