// A trace of a small network's step: that it is what chrome://tracing and Perfetto take, and that it tells the truth.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deviceEvents, kernelSummary, traceProgram } from '../../bench/trace.ts';
import type { Ceilings } from '../../src/benchmark/ceilings.ts';
import { DEVICE, HOST, LANES, type Trace, type TraceEvent } from '../../src/benchmark/chrome-trace.ts';
import type { Program } from '../../src/autodiff/program.ts';
import { testDevice } from '../support/device.ts';
import { smallTraining } from '../support/small-network.ts';

const ceilings = { gigaflops: 100, gigabytes: 10, dispatch: 1e-9 } as Ceilings;
/** So that the images pass through staging buffers, as on a GPU larger ones do. */
const STAGED_IMAGES = { stagedFrom: 1000 };
const test = suite<{ trace: Trace; program: Program }>('trace');

test.before(async (context) => {
  const device = await testDevice();
  const { program, feeds } = await smallTraining(device);
  let again: Program | undefined;
  context.trace = await traceProgram(
    device,
    async () => (again = (await smallTraining(device, 1, undefined, STAGED_IMAGES)).program as Program),
    feeds(1),
    ceilings,
    { work: 'a small network' },
  );
  assert.ok(again);
  context.program = program as Program;
});

const slices = ({ traceEvents }: Trace, pid: number): TraceEvent[] =>
  traceEvents.filter((event) => event.ph === 'X' && event.pid === pid);

test('is JSON in which every event has what its kind needs', ({ trace }) => {
  const { traceEvents, displayTimeUnit, otherData } = JSON.parse(JSON.stringify(trace)) as Trace;
  assert.is(displayTimeUnit, 'ms');
  assert.is(otherData.work, 'a small network');
  for (const event of traceEvents) {
    assert.ok(event.name.length > 0);
    assert.ok(Number.isFinite(event.ts) && event.ts >= 0, `${event.name} begins at ${event.ts}`);
    if (event.ph === 'X')
      assert.ok(Number.isFinite(event.dur) && (event.dur as number) >= 0, `${event.name} lasts ${event.dur}`);
    if (event.ph === 'b' || event.ph === 'e') assert.ok(event.id !== undefined && event.cat !== undefined);
    if (event.ph === 'C') assert.ok(Number.isFinite(event.args?.value));
    for (const value of Object.values(event.args ?? {}))
      assert.ok(value !== null, `${event.name} has an argument that JSON cannot hold`);
  }
  const begun = traceEvents.filter(({ ph }) => ph === 'b').map(({ id }) => id);
  assert.equal(
    traceEvents.filter(({ ph }) => ph === 'e').map(({ id }) => id),
    begun,
  );
});

test('every lane has a name', ({ trace }) => {
  const named = new Set(
    trace.traceEvents.filter(({ name }) => name === 'thread_name').map(({ pid, tid }) => `${pid} ${tid}`),
  );
  for (const { pid, tid, name } of [...slices(trace, HOST), ...slices(trace, DEVICE)])
    assert.ok(named.has(`${pid} ${tid}`), name);
});

test('slices of a lane are one after the other or one inside the other', ({ trace }) => {
  for (const lane of Object.values(LANES)) {
    const events = trace.traceEvents
      .filter(({ ph, pid, tid }) => ph === 'X' && pid === lane.pid && tid === lane.tid)
      .sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
    const open: number[] = [];
    // A microsecond for the rounding of sums.
    for (const { name, ts, dur = 0 } of events) {
      while (open.length > 0 && open[open.length - 1] <= ts + 1) open.pop();
      assert.ok(
        open.length === 0 || ts + dur <= open[open.length - 1] + 1,
        `${name} reaches out of the slice around it`,
      );
      open.push(ts + dur);
    }
  }
});

test('the host plans, compiles, makes buffers, writes, records, submits, waits and reads back, each within its phase', ({
  trace,
}) => {
  const host = slices(trace, HOST);
  const phases = host.filter(({ tid }) => tid === LANES.phases.tid).map(({ name }) => name);
  assert.equal(phases, ['compile', 'first step', 'step', 'profiled step']);
  const during = (phase: string): string[] => {
    const { ts, dur = 0 } = host.find(({ name }) => name === phase) as TraceEvent;
    return host
      .filter(
        (event) => event.tid !== LANES.phases.tid && event.ts >= ts && event.ts + (event.dur ?? 0) <= ts + dur + 1,
      )
      .map(({ name }) => name);
  };
  for (const call of ['plan', 'create buffer', 'create bind group']) assert.ok(during('compile').includes(call), call);
  assert.equal(during('step').sort(), [
    'read back',
    'record',
    'submit',
    'wait',
    'write buffer',
    'write buffer',
    'write staging',
  ]);
});

test('the device has a slice for each kernel call, with variant, work and rates', ({ trace, program }) => {
  const calls = slices(trace, DEVICE).filter(({ args }) => args?.kernel !== undefined);
  assert.equal(
    calls.map(({ args }) => [args?.kernel, args?.variant]),
    program.plan.calls.map(({ kernel, call }) => [kernel.name, call.variant]),
  );
  const convolution = calls.find(({ args }) => args?.kernel === 'convolution_statistics')?.args as Record<
    string,
    number
  >;
  assert.is(
    convolution.FLOP,
    program.plan.calls.find(({ kernel }) => kernel.name === 'convolution_statistics')?.cost.flop,
  );
  // The convolution's and the linear layer's.
  assert.match(kernelSummary(trace), /^convolution_weight_gradient +2 /m);
});

test('the device has work only after its submission', ({ trace }) => {
  const submission = slices(trace, HOST)
    .filter(({ name }) => name === 'submit')
    .pop() as TraceEvent;
  assert.ok(slices(trace, DEVICE).every(({ ts }) => ts >= submission.ts));
});

test('rates are of the time in which a call kept the device busy, gaps between its dispatches left out', ({
  program,
}) => {
  const call =
    program.plan.calls.find(({ call }) => call.dispatches.length === 2) ??
    program.plan.calls.find(({ call }) => call.dispatches.length > 1);
  assert.ok(call);
  const spans = call.call.dispatches.map((_, index) => ({ label: '', start: index * 1000, duration: 100 }));
  const [outer, ...inner] = deviceEvents([{ ...call, cost: { flop: 2e6, bytes: 1e6 } }], spans, 5, ceilings);
  const busy = 100 * spans.length;
  assert.is(outer.ts, 5);
  assert.is(outer.dur, 1000 * (spans.length - 1) + 100);
  assert.is(outer.args?.['GFLOP/s'], Number((2e6 / busy / 1000).toPrecision(4)));
  // 1e6 bytes at 10 GB/s take 100 us.
  assert.is(outer.args?.['% of roofline'], Number((10000 / busy).toPrecision(4)));
  assert.is(inner.filter(({ ph }) => ph === 'X').length, spans.length);
  assert.throws(() => deviceEvents([call], spans.slice(1), 0, ceilings), /dispatches, but the profile/);
});

test('the device is as it was before', async () => {
  const { gpu } = await testDevice();
  for (const name of ['createBuffer', 'createCommandEncoder', 'createComputePipelineAsync'])
    assert.not(Object.hasOwn(gpu, name), name);
  for (const name of ['submit', 'writeBuffer']) assert.not(Object.hasOwn(gpu.queue, name), name);
});

test.run();
