// One configuration of `npm run bench:model`, in a process of its own: prints one JSON line.
import { openTuner } from '../src/cli/tuning.ts';
import { openDevice, releaseGpu } from '../src/platform/adapter.ts';
import type { Precision } from '../src/models/image-input.ts';
import { circumstances, type Circumstances } from './support/report.ts';
import { resnet50Program, type Pass } from './support/resnet50-programs.ts';

export interface Configuration {
  readonly pass: Pass;
  readonly batch: number;
  readonly size: number;
  readonly precision: Precision;
}

export interface Limits {
  /** Whether a tuner chooses, by what it knows; it measures nothing here. */
  readonly tuned: boolean;
  readonly rounds: number;
  readonly seconds: number;
}

export interface ModelResult extends Configuration {
  readonly circumstances: Circumstances;
  /**
   * Milliseconds until a program was planned and compiled, and of its first step, in which some drivers compile as
   * well.
   */
  readonly compile: number;
  readonly firstStep: number;
  /** Milliseconds of each step from the writing of its inputs until its results were read. */
  readonly samples: readonly number[];
  /** Milliseconds of each step in which the host was busy with it: writing inputs, recording, submitting. */
  readonly hostSamples: readonly number[];
  /** Operations of a step by the kernels' own account. */
  readonly flop: number;
  readonly dispatches: number;
  readonly arenaBytes: number;
  /** Of all buffers: arena, inputs, parameters, gradients, moments. */
  readonly deviceBytes: number;
  /** The largest resident set of this process. On a software adapter buffers are part of it. */
  readonly peakBytes: number;
}

/**
 * Runs before the first that is timed; and on a GPU milliseconds, since one that was idle has a low clock for some 300
 * ms.
 */
const WARM_UP = 2;
const GPU_WARM_UP = 600;

const { pass, batch, size, precision, tuned, rounds, seconds } = JSON.parse(process.argv[2]) as Configuration & Limits;
const device = await openDevice('auto', { unsafe: true });
const { feeds, compile } = await resnet50Program(
  device,
  pass,
  { batch, size },
  precision,
  tuned ? await openTuner(device, { tune: 'off', deterministic: false }) : undefined,
);

const timed = async <Result>(work: () => Promise<Result>): Promise<[number, Result]> => {
  const start = performance.now();
  const result = await work();
  return [performance.now() - start, result];
};
const [compileTime, program] = await timed(compile);
const [firstStep] = await timed(() => program.run(feeds));
for (let i = 1; i < WARM_UP; i++) await program.run(feeds);
const warm = performance.now() + (device.traits.kind === 'gpu' ? GPU_WARM_UP : 0);
while (performance.now() < warm) await program.run(feeds);

const samples: number[] = [];
const hostSamples: number[] = [];
const end = performance.now() + 1000 * seconds;
while (samples.length < rounds && (samples.length < 3 || performance.now() < end)) {
  const start = performance.now();
  const { results } = await program.submit(feeds);
  hostSamples.push(performance.now() - start);
  await results;
  samples.push(performance.now() - start);
}

const result: ModelResult = {
  pass,
  batch,
  size,
  precision,
  circumstances: circumstances(device, 'bench:model'),
  compile: compileTime,
  firstStep,
  samples,
  hostSamples,
  // A run of a frozen program does not repeat the calls whose results it keeps, such as weight prepacking.
  flop: program.plan.calls.slice(program.plan.frozenCalls).reduce((sum, { cost }) => sum + cost.flop, 0),
  dispatches: program.size.dispatches,
  arenaBytes: program.plan.arenaBytes,
  deviceBytes: program.memory.total,
  // Kibibytes, on every system.
  peakBytes: process.resourceUsage().maxRSS * 1024,
};
program.destroy();
console.log(JSON.stringify(result));
device.dispose();
releaseGpu();
