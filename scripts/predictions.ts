// The text of docs/lab/predictions.md: what the cost model predicts for every kernel on GPUs that were not measured.
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
import type { AdapterTraits, MatrixUnits } from '../kernels/contract/adapter-traits.ts';
import { adamSettings, sgdSettings } from '../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../src/nn/training-update.ts';
import { Classifier, RetrievalNetwork } from '../src/nn/retrieval-network.ts';
import { retrievalObjective } from '../src/training/objectives.ts';
import { DEFAULT_LOSSES } from '../src/training/retrieval-loss.ts';
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

/** A step of the paper's recipe with a teacher, its batch normalization training or frozen. */
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
 * For each kernel the largest and the smallest of its problems in ResNet50's and the paper's steps; where it is in
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
      ...GPUS.map(({ name }) => `${name}: tile, parts: us, % of its units' peak, us without`),
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

/** All of docs/lab/predictions.md. The same code gives the same text. */
export async function predictionsPage(): Promise<string> {
  return `# Predictions

Written by \`npm run bench:predict\` from kernels/cost-model.ts; do not edit. **These figures are predictions, not measurements.** They
exist so that a measurement can refute them, and with them the choice of tiles. The clocks of the model are fitted to the convolutions of
batch 32 on an NVIDIA H200. Before that, the model promised 21.4 ms for the training step at batch 32, which took 63 ms with the kernels
of that day. [performance.md](../performance.md) has the measurements. The fit has not been checked on a GPU of another vendor.

For a tiled product, the model counts the instructions of an iteration (multiply-adds, vector loads from workgroup memory, staging,
addresses), the workgroups that a compute unit holds (by registers and workgroup memory), the latency of loads that these cannot hide,
whole and partial rounds of workgroups over the compute units, and bytes through the shared cache and the memory. Every other kernel is
a roofline at 85 % of the memory bandwidth. A dispatch costs 4 us. Registers are estimates of what a good compiler needs. Bank conflicts,
register spills, clocks below the boost clock, zeroing of workgroup memory, and index checks of browsers are not counted. All of them
make a kernel slower, so the predicted times are lower bounds.

Bounds: none = arithmetic, L = latency of loads, C = shared cache, M = memory, D = launches of the dispatches. "Rounds" is the number of
workgroups divided by those that all compute units hold at once; below 1, some are idle. The plan uses one order of variants for all GPUs,
made for a GPU in the middle; the last line of each first table is what a tuner could choose.

${table(
  [
    'device',
    'TFLOP/s',
    'GB/s',
    'compute units',
    'registers a unit',
    'workgroup KiB a unit',
    'invocations a unit',
    'source',
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

Measurements by others (kvark/inferena, September 2026): forward pass, loss and backward pass at batch 4 take an RTX 5070 29.6 ms with
the best WGSL kernels known, and 14.9 ms with PyTorch in strict float32; inference at batch 4 takes 4.6 ms on the GPU and 6.6 ms.

## Every kernel

For each kernel: the largest and the smallest problem (by bytes) of ResNet50's training step and inference at batch 32 and of the paper's
step at batch 48, all at ${SIZE}x${SIZE}; a kernel that none of these uses is listed with the largest problem of its bench. Workgroups are
given for each dispatch. The columns after them describe the dispatch with the most workgroups: invocations a workgroup, registers an
invocation, workgroup memory. For kernels that are not tiled products, workgroup memory is read from the shader's declarations, and
registers are 24 plus one element of each operand plus every declared variable. Time is the sum over all dispatches, with its bound. If
rounds are far below 1 and the bound is memory, the bandwidth is out of reach, and the time is a lower bound.

${everyKernelTable(await examples())}

${sections().join('\n')}
## Matrix units: the training step's convolutions

The shortest prediction of \`convolution-matrix-units.wgsl\`, and the shortest of the tiles without matrix units, both without
statistics. 16-bit values with float32 accumulators on NVIDIA and Intel, as in f16 convolutions (products of ${UNITS[0].products[0].rows}x${UNITS[0].products[0].columns}x${UNITS[0].products[0].depth} and
8x16x16); float32 on Apple (8x8x8), whose 16-bit units accumulate in 16 bits. The clocks of an iteration are the longer of the units'
multiplication and the subgroups' loads from workgroup memory (128 bytes a clock), plus staging; at the end a workgroup's accumulators pass
through workgroup memory once. The time of the weight gradient includes writing the im2col matrix of x. Rates: ${GPUS.map(
    ({ name, matrixTeraflops }) =>
      `${name} ${Object.entries(matrixTeraflops)
        .map(([component, rate]) => `${rate} TFLOP/s (${component})`)
        .join(', ')}`,
  ).join('; ')}; the first table has the sources.

${unitSections().join('\n')}`;
}
