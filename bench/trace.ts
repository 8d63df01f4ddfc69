// npm run bench -- --trace FILE: one training step, call by call, on the host and on the device.
import { writeFileSync } from 'node:fs';
import type { PlannedCall } from '../src/autodiff/plan.ts';
import type { Feeds, Program } from '../src/autodiff/program.ts';
import { textTable } from '../src/cli/display/text-table.ts';
import type { Device } from '../src/gpu/device.ts';
import type { Span } from '../src/gpu/profiler.ts';
import { measureCeilings, type Ceilings } from '../src/benchmark/ceilings.ts';
import { counter, HOST, laneNames, LANES, span, type Trace, type TraceEvent } from '../src/benchmark/chrome-trace.ts';
import { HostRecorder } from './support/host-recorder.ts';
import type { Work } from './support/kernel-bench.ts';
import { circumstances, describeAdapter } from './support/report.ts';
import { resnet50Program } from './support/resnet50-programs.ts';
import { rooflineOf } from '../src/benchmark/roofline.ts';
import { digits } from './support/tables.ts';

export async function traceTrainingStep(device: Device, work: Work, file: string): Promise<void> {
  console.error('measuring the ceilings');
  const ceilings = await measureCeilings(device);
  console.error('tracing a training step');
  const { feeds, compile } = await resnet50Program(device, 'train', work);
  const { date, commit, processor, node, webgpu } = circumstances(device, 'bench');
  const trace = await traceProgram(device, compile, feeds, ceilings, {
    work: `ResNet50 training step, batch ${work.batch} at ${work.size}x${work.size}`,
    adapter: describeAdapter(device.description),
    date,
    commit,
    processor,
    node,
    webgpu,
  });
  writeFileSync(file, JSON.stringify(trace));
  console.log(`${kernelSummary(trace)}\n\n${file}: open it in https://ui.perfetto.dev or chrome://tracing.`);
}

/** Where the device's time went, kernel by kernel. */
export function kernelSummary({ traceEvents }: Trace): string {
  const totals = new Map<string, { calls: number; busy: number; flop: number; bytes: number }>();
  let all = 0;
  for (const { args } of traceEvents) {
    if (args?.kernel === undefined) continue;
    const total = totals.get(String(args.kernel)) ?? { calls: 0, busy: 0, flop: 0, bytes: 0 };
    totals.set(String(args.kernel), {
      calls: total.calls + 1,
      busy: total.busy + Number(args['busy us']),
      flop: total.flop + Number(args.FLOP),
      bytes: total.bytes + Number(args.bytes),
    });
    all += Number(args['busy us']);
  }
  const rows = [...totals]
    .sort(([, a], [, b]) => b.busy - a.busy)
    .map(([kernel, { calls, busy, flop, bytes }]) => [
      kernel,
      String(calls),
      digits(busy / 1000),
      `${((100 * busy) / all).toFixed(1)}%`,
      flop === 0 ? '-' : digits(flop / busy / 1000),
      digits(bytes / busy / 1000),
    ]);
  return textTable(
    ['kernel', 'calls', 'ms', 'share', 'GFLOP/s', 'GB/s'],
    [...rows, ['all', '', digits(all / 1000), '', '', '']],
  );
}

/**
 * Compiles a program and traces its first step, a step like all others, and one with every dispatch timed. The host's
 * lanes have all of them; the device's lane has the last, since timing dispatches takes a pass for each and so is no
 * step like all others.
 */
export async function traceProgram(
  device: Device,
  compile: () => Promise<Program>,
  feeds: Feeds,
  ceilings: Ceilings,
  about: Readonly<Record<string, string>>,
): Promise<Trace> {
  const recorder = new HostRecorder(device.gpu);
  try {
    const program = await recorder.phase('compile', compile);
    const [compiling] = recorder.events.filter(({ name, tid }) => name === 'compile' && tid === LANES.phases.tid);
    const firstCall = recorder.events.reduce(
      (first, { pid, tid, ts }) => (pid === HOST && tid !== LANES.phases.tid ? Math.min(first, ts) : first),
      Infinity,
    );
    // What compile does before it first asks the device for something is planning.
    const planning = span(LANES.calls, 'plan', compiling.ts, firstCall - compiling.ts);
    await recorder.phase('first step', () => program.run(feeds));
    await recorder.phase('step', () => program.run(feeds));
    const before = recorder.now();
    const spans = await recorder.phase('profiled step', () => program.profile(feeds));
    const submitted = recorder.events.find(({ name, ts }) => name === 'submit' && ts >= before);
    const origin = submitted === undefined ? before : submitted.ts + (submitted.dur ?? 0);
    program.destroy();
    return {
      traceEvents: [
        ...laneNames(),
        planning,
        ...recorder.events,
        ...deviceEvents(program.plan.calls, spans, origin, ceilings),
      ],
      displayTimeUnit: 'ms',
      otherData: {
        ...about,
        'device clock': 'starts at the submission of the profiled step; WebGPU relates the two clocks in no other way',
      },
    };
  } finally {
    recorder.end();
  }
}

/**
 * A slice for each kernel call with what it did and how fast, its dispatches inside where there are several, and the
 * rates as counters.
 */
export function deviceEvents(
  calls: readonly Pick<PlannedCall, 'kernel' | 'label' | 'call' | 'cost' | 'node'>[],
  spans: readonly Span[],
  origin: number,
  ceilings: Ceilings,
): TraceEvent[] {
  const dispatches = calls.reduce((sum, { call }) => sum + call.dispatches.length, 0);
  if (dispatches !== spans.length)
    throw new Error(
      `the plan has ${dispatches} dispatches, but the profile ${spans.length}: bench/trace.ts must learn how they belong together`,
    );
  const events: TraceEvent[] = [];
  let next = 0;
  for (const { kernel, label, call, cost, node } of calls) {
    const own = spans.slice(next, next + call.dispatches.length);
    next += own.length;
    const start = own[0].start;
    const end = own.reduce((latest, part) => Math.max(latest, part.start + part.duration), -Infinity);
    // Without the gaps between passes, which a step like all others does not have.
    const busy = own.reduce((sum, { duration }) => sum + duration, 0);
    const seconds = busy / 1e6;
    const rate = (amount: number): number => (seconds > 0 ? amount / seconds / 1e9 : 0);
    const roofline = rooflineOf(cost, own.length, ceilings);
    events.push(
      span(LANES.kernels, label, origin + start, end - start, {
        kernel: kernel.name,
        op: node.op.name,
        variant: call.variant,
        dispatches: own.length,
        'busy us': round(busy),
        FLOP: cost.flop,
        bytes: cost.bytes,
        'GFLOP/s': round(rate(cost.flop)),
        'GB/s': round(rate(cost.bytes)),
        '% of roofline': busy > 0 ? round((100000 * roofline.milliseconds) / busy) : 0,
        bound: roofline.bound,
      }),
    );
    if (own.length > 1) {
      own.forEach((part, index) => {
        const { shader, entryPoint, workgroups } = call.dispatches[index];
        events.push(
          span(
            LANES.kernels,
            entryPoint === undefined ? shader.name : `${shader.name} ${entryPoint}`,
            origin + part.start,
            part.duration,
            { workgroups: workgroups.join(' x ') },
          ),
        );
      });
    }
    events.push(
      counter('GFLOP/s', origin + start, round(rate(cost.flop))),
      counter('GB/s', origin + start, round(rate(cost.bytes))),
    );
  }
  return events;
}

const round = (value: number): number => Number(value.toPrecision(4));
