/// Runs the suite in a worker, so that the page stays quick: verifying and filling buffers takes the processor.
import { measure } from '../../bench/support/measure.ts';
import { tuningProblemOf } from '../../bench/support/entries.ts';
import type { Work } from '../../bench/support/kernel-bench.ts';
import { measureRoofline } from '../../src/benchmark/ceilings.ts';
import { openDevice } from '../../src/platform/browser/adapter.ts';
import {
  choicesOf,
  REPORT_FORMAT,
  REPORT_VERSION,
  reported,
  type AdapterReport,
  type MeasuredProblem,
} from './report.ts';
import { suiteOf } from './suite.ts';

/** Starts the suite, or asks it to stop after the kernel that it is at. */
export type Order =
  | {
      readonly kind: 'run';
      readonly work: Work;
      readonly seconds: number;
      readonly kernels: readonly string[];
      readonly card: string;
      readonly brief: boolean;
    }
  | { readonly kind: 'stop' };

export type News =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number; readonly text: string }
  | { readonly kind: 'report'; readonly report: AdapterReport }
  | { readonly kind: 'failed'; readonly message: string };

const tell = (news: News): void => globalThis.postMessage(news);
let stopped = false;

globalThis.onmessage = ({ data }: MessageEvent<Order>): void => {
  if (data.kind === 'stop') {
    stopped = true;
    return;
  }
  run(data).catch((error: unknown) =>
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
  );
};

async function run({ work, seconds, kernels, card, brief }: Extract<Order, { kind: 'run' }>): Promise<void> {
  const entries = suiteOf(work, kernels);
  const device = await openDevice();
  try {
    const clock = device.gpu.features.has('timestamp-query') ? 'device' : 'wall';
    const total = entries.length;
    tell({ kind: 'progress', done: 0, total, text: 'Measuring what the adapter can do at most …' });
    const { gigaflops, gigabytes, dispatch, submitAndWait } = await measureRoofline(device, {
      clock,
      budget: brief ? 0 : 500,
      ...(brief && { maxRounds: 1 }),
    });
    const ceilings = { gigaflops, gigabytes, dispatch, submitAndWait };
    const measured: MeasuredProblem[] = [];
    const end = performance.now() + 1000 * seconds;
    for (const [done, entry] of entries.entries()) {
      if (stopped) break;
      tell({ kind: 'progress', done, total, text: `${entry.name}: ${entry.problemName}` });
      const tuningProblem = tuningProblemOf(entry, device.traits);
      if (tuningProblem === undefined) continue;
      const left = Math.max(0, end - performance.now()) / 1000 / (total - done);
      const results = await measure(device, [entry], { seconds: left, clock, ...(brief && { maxRounds: 1 }) });
      measured.push({ tuningProblem, results });
    }
    const date = new Date().toISOString();
    const limits: Record<string, number> = {};
    for (const name in device.gpu.limits) {
      const value = device.gpu.limits[name as keyof GPUSupportedLimits];
      if (typeof value === 'number') limits[name] = value;
    }
    tell({
      kind: 'report',
      report: {
        format: REPORT_FORMAT,
        version: REPORT_VERSION,
        date,
        userAgent: navigator.userAgent,
        adapter: device.description,
        card,
        limits,
        features: [...device.gpu.features].sort(),
        clock,
        work,
        complete: !stopped,
        ceilings,
        kernels: measured.flatMap(({ results }) => results.map((result) => reported(result, ceilings))),
        table: await choicesOf(device, measured, date.slice(0, 10)),
      },
    });
  } finally {
    device.dispose();
  }
}
