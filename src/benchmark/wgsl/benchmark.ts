import type { Device } from '../../gpu/device.ts';
import { measureRoofline } from '../ceilings.ts';
import { occupancies } from '../occupancy.ts';
import { boundOf, rooflineOf } from '../roofline.ts';
import { sampleAlternating, type Contender, type Sampled } from '../sampling.ts';
import { halfSpread, median, ratioOf } from '../statistics.ts';
import { deviceMilliseconds, Stopwatch, type Lap } from '../stopwatch.ts';
import { BenchmarkError } from './error.ts';
import { evaluate } from './expression.ts';
import { readInterface, type OverrideValues, type WgslInterface } from './interface.ts';
import { PreparedKernel, type Numbers, type WgslSource, type WgslValues } from './prepared-kernel.ts';
import {
  RESULT_FORMAT,
  RESULT_VERSION,
  type KernelComparison,
  type KernelResult,
  type MeasuredCeilings,
  type WgslBenchmarkResult,
} from './result.ts';

/** What is timed, and how. */
export interface WgslBenchmarkOptions extends Partial<WgslValues> {
  /** One file, or several that are compared with the first. */
  readonly sources: readonly WgslSource[];
  /** Values of override constants; of several values each combination is timed. */
  readonly overrides?: Readonly<Record<string, readonly (number | boolean)[]>>;
  /** Floating-point operations of a dispatch: a number or a product, in which override constants may occur. */
  readonly flops?: number | string;
  /** Bytes that a dispatch moves; by default each bound byte once. */
  readonly bytes?: number | string;
  /** For all samples together; three rounds are taken in any case. Default 5. */
  readonly seconds?: number;
  /** Samples of each kernel at most. Default 30. */
  readonly rounds?: number;
  /** Default: the device's timestamps where it has them. */
  readonly clock?: 'device' | 'wall';
  /** Whether the adapter's peaks are measured for the roofline, in two to ten seconds. Default true. */
  readonly ceilings?: boolean;
  /** Hears what is being done. */
  readonly onProgress?: (text: string) => void;
}

/** Something that took time, for a trace. Milliseconds of `performance.now()`. */
export interface TimelineEntry {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Of a sample: its kernel's label, its dispatches, and nanoseconds on the device's clock. */
  readonly sample?: {
    readonly kernel: string;
    readonly dispatches: number;
    readonly deviceStart?: number;
    readonly deviceEnd?: number;
  };
}

/** A benchmark's result, what else came of it, and what each kernel computed from its inputs in one dispatch. */
export interface WgslBenchmarkRun {
  readonly result: WgslBenchmarkResult;
  readonly timeline: readonly TimelineEntry[];
  readonly values: readonly { readonly kernel: string; readonly inputs: Numbers; readonly outputs: Numbers }[];
}

const DEFAULT_SECONDS = 5;
/** Milliseconds until a GPU that was idle has its full clock. */
const GPU_WARM_UP = 400;
const CONFIDENCE = 0.99;
/** Sampling of the measuring kernels: the least that gives a median. */
const CEILING_SAMPLING = { budget: 0, maxRounds: 3 } as const;

/**
 * Times WGSL compute kernels on a device. Kernels take turns (A B, B A, ...). A sample repeats a dispatch in one pass until it
 * takes 20 ms, so that neither the submission nor the clock's steps count; dispatches of a pass run one after the
 * other. Buffers keep what earlier dispatches wrote.
 *
 *     const { result } = await benchmarkWgsl(device, {
 *       sources: [{ name: 'scale.wgsl', code, workgroups: [4096] }],
 *       buffers: { x: { type: 'f32', count: 1 << 20 } },
 *       flops: 1 << 20,
 *     });
 *     console.log(result.kernels[0].median, result.kernels[0].bound);
 *
 * @returns times in milliseconds, rates in 1e9 a second
 * @throws ShaderError with line and column where a file does not compile
 * @throws BenchmarkError where bindings, values and options do not fit; it names the file and the binding
 * @throws LimitError for more than the adapter has room for
 */
export async function benchmarkWgsl(device: Device, options: WgslBenchmarkOptions): Promise<WgslBenchmarkRun> {
  const { sources, buffers = {}, uniforms = {}, onProgress = () => undefined } = options;
  const timeline: TimelineEntry[] = [];
  const timed = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    onProgress(name);
    const start = performance.now();
    const result = await work();
    timeline.push({ name, start, end: performance.now() });
    return result;
  };
  const stopwatch = new Stopwatch(device);
  const entries: Entry[] = [];
  try {
    if (sources.length === 0) throw new BenchmarkError('there is no WGSL file to time');
    for (const { source, overrides } of configurations(await interfacesOf(sources), options)) {
      const start = performance.now();
      const kernel = await PreparedKernel.create(device, source, { buffers, uniforms }, overrides);
      entries.push({ kernel, source, overrides, compile: performance.now() - start, first: 0 });
      timeline.push({ name: `compile ${kernel.label}`, start, end: performance.now() });
    }
    checkNames(entries, { buffers, uniforms });
    const values: WgslBenchmarkRun['values'][number][] = [];
    for (const entry of entries) {
      const { kernel } = entry;
      const { label, inputs } = kernel;
      const { hostStart, hostEnd } = await timed(`first dispatch of ${label}`, () =>
        stopwatch.lap((pass) => kernel.record(pass, 1), label),
      );
      entry.first = hostEnd - hostStart;
      values.push({ kernel: label, inputs, outputs: await kernel.outputs() });
    }
    const clock = options.clock ?? (stopwatch.hasTimestamps ? 'device' : 'wall');
    if (clock === 'device' && !stopwatch.hasTimestamps)
      throw new BenchmarkError('--clock device: this adapter has no timestamps (timestamp-query); use --clock wall');
    const ceilings =
      options.ceilings === false
        ? undefined
        : await timed('measure the ceilings', () => measureRoofline(device, { ...CEILING_SAMPLING, clock }));
    onProgress('time the kernels');
    const sampled = await sampleAlternating(
      entries.map(({ kernel }) => contenderOf(kernel, stopwatch, timeline)),
      {
        budget: 1000 * (options.seconds ?? DEFAULT_SECONDS),
        ...(options.rounds !== undefined && { maxRounds: options.rounds }),
        clock,
        warmUp: device.traits.kind === 'gpu' ? GPU_WARM_UP : 0,
        // Files are compared to the end; of a sweep, only the fast ones are of interest.
        keepAll: sources.length > 1,
      },
    );
    const kernels = entries.map((entry, index) => resultOf(entry, sampled[index], options, ceilings));
    return {
      result: {
        format: RESULT_FORMAT,
        version: RESULT_VERSION,
        date: new Date().toISOString(),
        adapter: { ...device.description, kind: device.traits.kind },
        clock: { kind: clock, quantumNanoseconds: stopwatch.quantum },
        ...(ceilings && { ceilings: withoutVariants(ceilings) }),
        kernels,
        comparisons: comparisonsOf(entries, kernels),
      },
      timeline,
      values,
    };
  } finally {
    for (const { kernel } of entries) kernel.destroy();
    stopwatch.destroy();
  }
}

interface Entry {
  readonly kernel: PreparedKernel;
  readonly source: WgslSource;
  readonly overrides: OverrideValues;
  readonly compile: number;
  first: number;
}

const withoutVariants = ({ gigaflops, gigabytes, dispatch, submitAndWait }: MeasuredCeilings): MeasuredCeilings => ({
  gigaflops,
  gigabytes,
  dispatch,
  submitAndWait,
});

interface Declared {
  readonly source: WgslSource;
  readonly declared: readonly string[];
}

/** Files with the names of their override constants. What does not parse here is left to the device's compiler. */
async function interfacesOf(sources: readonly WgslSource[]): Promise<Declared[]> {
  return Promise.all(
    sources.map(async (source) => {
      const { overrides } = await readInterface(source.name, source.code, source.entryPoint, {}).catch(
        (error: unknown): Pick<WgslInterface, 'overrides'> => {
          if (error instanceof BenchmarkError && error.cause !== undefined) return { overrides: [] };
          throw error;
        },
      );
      return { source, declared: overrides.map(({ name }) => name) };
    }),
  );
}

/** Every file with every combination of the override constants that it has. */
function configurations(
  files: readonly Declared[],
  { overrides = {} }: WgslBenchmarkOptions,
): { readonly source: WgslSource; readonly overrides: OverrideValues }[] {
  const known = new Set(files.flatMap(({ declared }) => declared));
  for (const [name, values] of Object.entries(overrides)) {
    if (values.length === 0) throw new BenchmarkError(`--override ${name}: there is no value`);
    // Names of no override constant may be used by --workgroups alone, but then nothing in the kernel depends on them.
    if (!known.has(name))
      throw new BenchmarkError(
        `${files.map(({ source }) => source.name).join(', ')}: --override ${name}: there is no such override constant${known.size === 0 ? '' : `, but ${[...known].join(', ')}`}`,
      );
  }
  return files.flatMap(({ source, declared }) =>
    Object.entries(overrides)
      .filter(([name]) => declared.includes(name))
      .reduce<Record<string, number | boolean>[]>(
        (sets, [name, values]) => sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value }))),
        [{}],
      )
      .map((set) => ({ source, overrides: set })),
  );
}

/** @throws BenchmarkError for values of what no file binds */
function checkNames(entries: readonly Entry[], { buffers, uniforms }: WgslValues): void {
  const bound = entries.flatMap(({ kernel }) => kernel.declared.bindings);
  const files = [...new Set(entries.map(({ source }) => source.name))].join(', ');
  const names = [...new Set(bound.map(({ name }) => name))].join(', ') || 'nothing';
  for (const name of Object.keys(buffers))
    if (!bound.some((binding) => binding.name === name))
      throw new BenchmarkError(`${files}: --buffer ${name}: the entry point uses no such binding; it uses ${names}`);
  for (const name of Object.keys(uniforms))
    if (!bound.some((binding) => binding.name === name && binding.usage === 'uniform'))
      throw new BenchmarkError(`${files}: --uniform ${name}: the entry point uses no such uniform; it uses ${names}`);
}

function contenderOf(kernel: PreparedKernel, stopwatch: Stopwatch, timeline: TimelineEntry[]): Contender {
  const { label } = kernel;
  return {
    name: label,
    run: async (dispatches) => {
      const lap: Lap = await stopwatch.lap((pass) => kernel.record(pass, dispatches), label);
      const { hostStart: start, hostEnd: end, deviceStart, deviceEnd } = lap;
      timeline.push({
        name: label,
        start,
        end,
        sample: {
          kernel: label,
          dispatches,
          ...(deviceStart !== undefined && { deviceStart: Number(deviceStart), deviceEnd: Number(deviceEnd) }),
        },
      });
      return deviceMilliseconds(lap);
    },
  };
}

function resultOf(
  { kernel, source, overrides, compile, first }: Entry,
  { repeats, samples }: Sampled,
  options: WgslBenchmarkOptions,
  ceilings: MeasuredCeilings | undefined,
): KernelResult {
  const { label, declared, workgroups } = kernel;
  const { entryPoint, workgroupSize, workgroupBytes, bindings } = declared;
  const names = Object.fromEntries(Object.entries(overrides).map(([name, value]) => [name, Number(value)]));
  const count = (expression: number | string | undefined, flag: string): number | undefined =>
    expression === undefined ? undefined : evaluate(expression, names, `${source.name}: ${flag}`);
  const flops = count(options.flops, '--flops');
  const given = count(options.bytes, '--bytes');
  const bytes = given ?? kernel.boundBytes;
  const time = median(samples);
  const cost = { flop: flops ?? 0, bytes };
  const bound = ceilings && boundOf(time, cost, 1, ceilings);
  return {
    label,
    file: source.name,
    entryPoint,
    overrides,
    workgroups,
    workgroupSize,
    workgroupBytes,
    bindings: bindings.map(({ name, group, binding, usage, type }) => ({
      name,
      group,
      binding,
      usage,
      type,
      bytes: kernel.bytesOf(name),
    })),
    compileMilliseconds: compile,
    firstDispatchMilliseconds: first,
    repeats,
    samples,
    median: time,
    spread: halfSpread(samples),
    fastest: Math.min(...samples),
    slowest: Math.max(...samples),
    ...(flops !== undefined && { flops }),
    bytes,
    bytesAre: given === undefined ? 'bound' : 'given',
    ...(flops !== undefined && { gigaflops: flops / time / 1e6 }),
    gigabytes: bytes / time / 1e6,
    ...(ceilings && { rooflineShare: rooflineOf(cost, 1, ceilings).milliseconds / time }),
    ...(bound && { bound: bound === 'latency' && flops === undefined ? 'arithmetic or latency' : bound }),
    occupancy: occupancies(
      { invocations: workgroupSize.reduce((product, size) => product * size, 1), workgroupBytes },
      workgroups.reduce((product, size) => product * size, 1),
    ),
  };
}

function comparisonsOf(entries: readonly Entry[], kernels: readonly KernelResult[]): KernelComparison[] {
  const first = entries.filter(({ source }) => source === entries[0].source);
  return entries.flatMap((entry, index) => {
    if (entry.source === entries[0].source) return [];
    // The baseline has the same values of the constants that both have.
    const baseline = first.find(({ overrides }) =>
      Object.entries(entry.overrides).every(([name, value]) => !(name in overrides) || overrides[name] === value),
    );
    if (baseline === undefined) return [];
    const before = kernels[entries.indexOf(baseline)];
    const after = kernels[index];
    const { ratio, low, high } = ratioOf(after.samples, before.samples, CONFIDENCE);
    const isBounded = Number.isFinite(high);
    return [
      {
        baseline: before.label,
        candidate: after.label,
        ratio,
        low: isBounded ? low : null,
        high: isBounded ? high : null,
        confidence: CONFIDENCE,
      },
    ];
  });
}
