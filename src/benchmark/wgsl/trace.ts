import { laneNames, LANES, span, type Trace, type TraceEvent } from '../chrome-trace.ts';
import type { TimelineEntry } from './benchmark.ts';
import type { WgslBenchmarkResult } from './result.ts';

const round = (value: number): number => Math.round(value * 1000) / 1000;

/**
 * A run as a trace for ui.perfetto.dev. Lanes of the host: phases, and the wait for each sample. Lane of the device: each
 * sample by its timestamps, with dispatches and time of a dispatch. The device's clock has its own origin; the first
 * sample's beginning is laid on its submission.
 */
export function benchmarkTrace(
  timeline: readonly TimelineEntry[],
  { kernels, adapter, date }: WgslBenchmarkResult,
): Trace {
  const origin = Math.min(...timeline.map(({ start }) => start));
  const microseconds = (milliseconds: number): number => round((milliseconds - origin) * 1000);
  const first = timeline.find(({ sample }) => sample?.deviceStart !== undefined);
  const events: TraceEvent[] = laneNames();
  for (const { name, start, end, sample } of timeline) {
    if (sample === undefined) {
      events.push(span(LANES.phases, name, microseconds(start), round((end - start) * 1000)));
      continue;
    }
    const { kernel, dispatches, deviceStart, deviceEnd } = sample;
    events.push(span(LANES.waits, name, microseconds(start), round((end - start) * 1000), { dispatches }));
    if (first?.sample?.deviceStart === undefined || deviceStart === undefined || deviceEnd === undefined) continue;
    const found = kernels.find(({ label }) => label === kernel);
    const milliseconds = (deviceEnd - deviceStart) / 1e6 / dispatches;
    events.push(
      span(
        LANES.kernels,
        name,
        round(microseconds(first.start) + (deviceStart - first.sample.deviceStart) / 1000),
        round((deviceEnd - deviceStart) / 1000),
        {
          dispatches,
          'us a dispatch': round(1000 * milliseconds),
          ...(found !== undefined && { 'GB/s': round(found.bytes / milliseconds / 1e6) }),
          ...(found?.flops !== undefined && { 'GFLOP/s': round(found.flops / milliseconds / 1e6) }),
        },
      ),
    );
  }
  return {
    traceEvents: events,
    displayTimeUnit: 'ms',
    otherData: { adapter: adapter.description || adapter.device, date },
  };
}
