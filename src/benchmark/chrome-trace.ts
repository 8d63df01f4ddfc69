// The JSON that chrome://tracing and ui.perfetto.dev read ("Trace Event Format"); times in microseconds.

/** One event of a trace. */
export interface TraceEvent {
  /**
   * X: something that lasts. C: a counter's new value. b and e: begin and end of what may overlap. M: a lane's name.
   */
  readonly ph: 'X' | 'C' | 'b' | 'e' | 'M';
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: number;
  readonly args?: Readonly<Record<string, string | number>>;
}

/** A whole trace, as it is written to a file. */
export interface Trace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
  /** Shown as the trace's information. */
  readonly otherData: Readonly<Record<string, string>>;
}

/** A horizontal lane: of the host's process or of the device's. */
export interface Lane {
  readonly pid: number;
  readonly tid: number;
}

export const HOST = 1;
export const DEVICE = 2;
export const LANES = {
  phases: { pid: HOST, tid: 1 },
  calls: { pid: HOST, tid: 2 },
  waits: { pid: HOST, tid: 3 },
  kernels: { pid: DEVICE, tid: 1 },
} as const satisfies Record<string, Lane>;

const NAMES: readonly (readonly [Lane, string, string])[] = [
  [LANES.phases, 'host', 'phases'],
  [LANES.calls, 'host', 'WebGPU calls'],
  [LANES.waits, 'host', 'waiting for the device'],
  [LANES.kernels, 'device', 'kernels'],
];

/** The events that give processes and lanes their names and order. */
export function laneNames(): TraceEvent[] {
  return NAMES.flatMap(([{ pid, tid }, process, thread]): TraceEvent[] => [
    { ph: 'M', name: 'process_name', pid, tid, ts: 0, args: { name: process } },
    { ph: 'M', name: 'thread_name', pid, tid, ts: 0, args: { name: thread } },
    { ph: 'M', name: 'thread_sort_index', pid, tid, ts: 0, args: { sort_index: tid } },
  ]);
}

export function span(lane: Lane, name: string, ts: number, dur: number, args?: TraceEvent['args']): TraceEvent {
  return { ph: 'X', name, ...lane, ts, dur, ...(args && { args }) };
}

/** Something that may overlap others of its lane, as two events. */
export function overlapping(lane: Lane, name: string, id: number, ts: number, dur: number): TraceEvent[] {
  const event = { name, ...lane, cat: 'compile', id };
  return [
    { ph: 'b', ...event, ts },
    { ph: 'e', ...event, ts: ts + dur },
  ];
}

export const counter = (name: string, ts: number, value: number): TraceEvent => ({
  ph: 'C',
  name,
  pid: DEVICE,
  tid: 0,
  ts,
  args: { value },
});
