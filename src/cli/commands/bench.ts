import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { benchmarkWgsl, type WgslBenchmarkOptions, type WgslBenchmarkRun } from '../../benchmark/wgsl/benchmark.ts';
import type { BufferContent } from '../../benchmark/wgsl/values.ts';
import type { WgslBenchmarkResult } from '../../benchmark/wgsl/result.ts';
import { benchmarkTrace } from '../../benchmark/wgsl/trace.ts';
import { byName, parseBuffer, parseOverride, parseUniform, type TypedBuffer } from '../bench/arguments.ts';
import { checkOutputs, loadCheck, parseTolerance } from '../bench/check.ts';
import { benchmarkInChromium } from '../bench/chromium.ts';
import { readBufferFile } from '../bench/data-files.ts';
import { writeGeneratedCode } from '../bench/generated-code.ts';
import { describeResult } from '../bench/report.ts';
import { defineCommand } from '../command.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import { note, printText } from '../display/progress.ts';
import { choice, integer, number, text, texts, toggle } from '../options/kinds.ts';
import { OptionError, type OptionValues } from '../options/option.ts';
import { JSON_OPTION, SHARED_OPTIONS } from '../options/shared.ts';

/** A kernel that computes something else than it should. */
export class WrongResultError extends Error {
  override readonly name = 'WrongResultError';
}

const BENCH_OPTIONS = {
  workgroups: texts({
    placeholder: 'x,y,z',
    help: 'Workgroups of the dispatch: numbers, or quotients of override constants such as 1024/TILE, rounded up. Given again, those of the second file',
  }),
  buffer: texts({
    placeholder: 'name:type[count]=fill',
    help: 'A buffer by the name of its binding, such as a:f32[1048576], b:vec4f[64x64]=zeros, c:u32[100]=random(1,0,10), d=data.npy or e=data.bin. Fills are random, zeros, iota, a number, a file; by default random for what is only read and zeros for the rest',
  }),
  uniform: texts({
    placeholder: 'name=values',
    help: 'The values of a uniform: p=128,64,0.5 in the order of declaration, or p=rows:128,columns:64,scale:0.5',
  }),
  override: texts({
    placeholder: 'name=values',
    help: 'Values of an override constant, such as TILE=4,8,16; every combination is timed',
  }),
  entry: text({ placeholder: 'name', help: 'The entry point, where a file has several' }),
  flops: text({
    placeholder: 'count',
    help: 'Floating-point operations of a dispatch, such as 2*1024*1024*1024, for GFLOP/s and the roofline',
  }),
  bytes: text({ placeholder: 'count', help: 'Bytes that a dispatch moves. Default: each bound byte once' }),
  check: text({
    placeholder: 'file',
    help: 'A JavaScript module whose default export computes the expected outputs: (inputs, launch) => ({ name: numbers })',
  }),
  tolerance: text({
    placeholder: 'relative,absolute',
    default: '1e-5,1e-6',
    help: 'How far a result may be from the expected one, where --check gives no bound of its own',
  }),
  in: choice(['node', 'chromium'], {
    default: 'node',
    help: 'Where the kernels run: in this process, or in a Chromium without a window',
  }),
  chromium: text({
    placeholder: 'file',
    help: 'The program of --in chromium. Default: the one of @sparticuz/chromium, or an installed one',
  }),
  clock: choice(['device', 'wall'], {
    help: "The device's timestamps, or the host's clock. Default: timestamps where the adapter has them",
  }),
  seconds: number({ above: 0, default: 5, help: 'Seconds for all samples; three rounds are taken in any case' }),
  rounds: integer({ minimum: 3, default: 30, help: 'Samples of each kernel at most' }),
  ceilings: choice(['measure', 'skip'], {
    default: 'measure',
    help: "Whether the adapter's peaks are measured, which the roofline needs",
  }),
  unsafe: toggle({
    help: 'Leave out the checks of indices that browsers always make (not in Chromium), and allow experimental features',
  }),
  generated: text({
    placeholder: 'folder',
    help: 'Write the generated SPIR-V, MSL or HLSL that Dawn gives the driver here, and HLSL by naga',
  }),
  trace: text({ placeholder: 'file', help: 'Write a trace for ui.perfetto.dev' }),
  json: JSON_OPTION,
  ...SHARED_OPTIONS,
} as const;

export const benchCommand = defineCommand({
  name: 'bench',
  summary:
    'Time WGSL compute kernels: median, rates, roofline, correctness; compare two files; sweep override constants',
  options: BENCH_OPTIONS,
  positionals: { name: 'file.wgsl', help: 'WGSL files; from the second on they are compared with the first' },
  async run(options, { positionals }) {
    const check =
      options.check === undefined
        ? undefined
        : { file: options.check, run: await loadCheck(options.check), tolerance: parseTolerance(options.tolerance) };
    const request = await readRequest(options, positionals);
    const { run, browser } = await runRequest(request, options);
    const runtime = browser ?? `Node ${process.version}`;
    const result = { ...(check === undefined ? run.result : await withChecks(run, check)), runtime };
    if (options.trace !== undefined)
      await writeFile(options.trace, JSON.stringify(benchmarkTrace(run.timeline, result)));
    const generated =
      options.generated === undefined ? undefined : await generatedCode(options.generated, request, result, options);
    if (options.json) printText(`${JSON.stringify(result)}\n`);
    else {
      printText(`${describeResult(result)}\n`);
      if (options.trace !== undefined) printText(`\n${options.trace}: open it in https://ui.perfetto.dev\n`);
      if (generated !== undefined) printText(`\n${generated}\n`);
    }
    const wrong = result.kernels.filter((kernel) => kernel.check?.passed === false);
    if (wrong.length > 0)
      throw new WrongResultError(
        wrong
          .map(({ label, check: found }) => {
            const { name, wrong: count, elements, worst } = found!.outputs.find((output) => output.wrong > 0)!;
            return `${label}: ${count} of ${elements} elements of ${name} differ from ${options.check}; ${name}[${worst.index}] is ${worst.got}, expected ${worst.expected}`;
          })
          .join('\n'),
      );
  },
});

type BenchOptions = OptionValues<typeof BENCH_OPTIONS>;

/** @throws OptionError for a file that cannot be read, and a flag that cannot be understood */
async function readRequest(options: BenchOptions, files: readonly string[]): Promise<WgslBenchmarkOptions> {
  const {
    workgroups = [],
    buffer = [],
    uniform = [],
    override = [],
    entry,
    flops,
    bytes,
    clock,
    seconds,
    rounds,
    ceilings,
  } = options;
  if (workgroups.length === 0)
    throw new OptionError('--workgroups is needed: the number of workgroups in x, y and z, such as 256,256');
  if (workgroups.length > files.length)
    throw new OptionError(
      `--workgroups is given ${workgroups.length} times, for ${files.length} ${files.length === 1 ? 'file' : 'files'}`,
    );
  const sources = await Promise.all(
    files.map(async (file, index) => ({
      name: path.basename(file),
      code: await readFile(file, 'utf8').catch((cause: unknown) => {
        throw new OptionError(`${file}: ${(cause as Error).message}`, { cause });
      }),
      ...(entry !== undefined && { entryPoint: entry }),
      workgroups: workgroups[Math.min(index, workgroups.length - 1)].split(','),
    })),
  );
  // Labels are made of names: two folders may have a file of the same one.
  const names = sources.map(({ name }) => name);
  const distinct = sources.map((source, index) =>
    names.indexOf(source.name) !== names.lastIndexOf(source.name) ? { ...source, name: files[index] } : source,
  );
  const buffers = await Promise.all(
    buffer
      .map(parseBuffer)
      .map(async (typed): Promise<readonly [string, BufferContent]> => [typed.name, await contentOf(typed)]),
  );
  return {
    sources: distinct,
    buffers: byName('buffer', buffers),
    uniforms: byName(
      'uniform',
      uniform.map(parseUniform).map(({ name, content }) => [name, content] as const),
    ),
    overrides: byName(
      'override',
      override.map(parseOverride).map(({ name, values }) => [name, values] as const),
    ),
    ...(flops !== undefined && { flops }),
    ...(bytes !== undefined && { bytes }),
    ...(clock !== undefined && { clock }),
    seconds,
    rounds,
    ceilings: ceilings === 'measure',
  };
}

const contentOf = async (typed: TypedBuffer): Promise<BufferContent> =>
  'file' in typed ? readBufferFile(typed.name, typed.file, typed.type) : typed.content;

async function runRequest(
  request: WgslBenchmarkOptions,
  { in: place, adapter, unsafe, chromium }: BenchOptions,
): Promise<{ readonly run: WgslBenchmarkRun; readonly browser?: string }> {
  if (place === 'chromium') {
    const { browser, ...run } = await benchmarkInChromium({ ...request, onProgress: note }, adapter, chromium);
    return { run, browser };
  }
  // Labels reach the tools of vendors only where Dawn is told to pass them on.
  const device = await openCommandDevice(adapter, { unsafe, dawnFeatures: ['use_user_defined_labels_in_backend'] });
  try {
    return { run: await benchmarkWgsl(device, { ...request, onProgress: note }) };
  } finally {
    closeCommandDevice(device);
  }
}

/** The result with what the user's function says of each kernel's outputs. */
async function withChecks(
  { result, values }: WgslBenchmarkRun,
  check: {
    readonly file: string;
    readonly run: Awaited<ReturnType<typeof loadCheck>>;
    readonly tolerance: ReturnType<typeof parseTolerance>;
  },
): Promise<WgslBenchmarkResult> {
  return {
    ...result,
    kernels: await Promise.all(
      result.kernels.map(async (kernel, index) => {
        const { file, overrides, workgroups, workgroupSize } = kernel;
        const launch = { file, overrides, workgroups, workgroupSize };
        return { ...kernel, check: await checkOutputs(check.file, check.run, values[index], launch, check.tolerance) };
      }),
    ),
  };
}

async function generatedCode(
  folder: string,
  { sources }: WgslBenchmarkOptions,
  { kernels }: WgslBenchmarkResult,
  { adapter, unsafe }: BenchOptions,
): Promise<string> {
  const pipelines = kernels.map(({ label, file, entryPoint, overrides }) => ({
    label,
    file,
    entryPoint,
    overrides,
    code: sources.find(({ name }) => name === file)?.code ?? '',
  }));
  const { files, missing } = await writeGeneratedCode(folder, pipelines, adapter, unsafe);
  return [`${folder}: ${files.join(', ')}`, ...missing.map((text) => `not available: ${text}`)].join('\n');
}
