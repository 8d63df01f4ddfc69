import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  changesTable,
  checkComparable,
  compareResults,
  drift,
  driftWarning,
  summary,
} from '../../bench/support/compare.ts';
import type { Result } from '../../bench/support/measure.ts';
import type { Report } from '../../bench/support/report.ts';

/** Ten samples that scatter by a tenth around a time. */
const around = (milliseconds: number): number[] =>
  Array.from({ length: 10 }, (_, index) => milliseconds * (0.95 + index / 90));

function result(problem: string, samples: readonly number[], more: Partial<Result> = {}): Result {
  return {
    kernel: 'relu',
    problem,
    variant: 'vec4f',
    chosen: true,
    flop: 1e6,
    bytes: 1e6,
    dispatches: 1,
    repeats: 1,
    samples,
    ...more,
  };
}

const verdicts = (before: Result[], after: Result[], tolerance = 0): string[] =>
  compareResults(before, after, tolerance).map(({ problem, verdict }) => `${problem} ${verdict}`);

test('marks what is certainly slower or faster, and nothing within the noise', () => {
  const before = [result('same', around(10)), result('slow', around(10)), result('fast', around(10))];
  const after = [result('same', around(10.1)), result('slow', around(13)), result('fast', around(7))];
  assert.equal(verdicts(before, after), ['same unclear', 'slow slower', 'fast faster']);
  const [, slow] = compareResults(before, after, 0);
  assert.ok(slow.low <= 1.3 && 1.3 <= slow.high && slow.low > 1.1);
  assert.is(slow.before.toFixed(6), '10.000000');
});

test('what the machine itself moved is not marked', () => {
  const before = [result('slow', around(10))];
  const after = [result('slow', around(13))];
  assert.equal(verdicts(before, after, 0.3), ['slow unclear']);
  const changes = compareResults(before, after, 0.3);
  assert.is(changes[0].hint, 'slower');
  assert.match(changesTable(changes), /SLOWER\?/);
  assert.is(compareResults(before, [result('slow', around(10.05))], 0.3)[0].hint, undefined);
});

test('a few samples prove nothing, however far apart', () => {
  assert.equal(verdicts([result('x', [1, 1, 1])], [result('x', [9, 9, 9])]), ['x unclear']);
});

test('compares what programs run: the chosen variants, by name where they differ', () => {
  const before = [
    result('x', around(10), { variant: 'old' }),
    result('x', around(2), { variant: 'other', chosen: false }),
  ];
  const after = [result('x', around(5), { variant: 'new' }), result('y', around(1))];
  const changes = compareResults(before, after, 0);
  assert.is(changes.length, 1, 'a problem that only one report has is left out');
  assert.is(changes[0].verdict, 'faster');
  assert.match(changesTable(changes), /old -> new/);
  assert.match(summary(changes), /^1 faster, 0 slower, 0 within the noise; geometric mean of the ratios 0\.5/);
});

test('a variant that failed is compared with nothing', () => {
  assert.equal(verdicts([result('x', [], { failure: 'no' })], [result('x', around(1))]), []);
});

const report = (gigaflops: number, more: Partial<Report> = {}): Report =>
  ({
    adapter: { vendor: '', architecture: '', device: 'a', description: 'b' },
    work: { batch: 16, size: 64 },
    ceilings: { gigaflops, gigabytes: 2, bufferCopyGigabytes: 20 },
    ...more,
  }) as unknown as Report;

test('the drift of the machine is the largest change of a ceiling, up or down', () => {
  assert.is(drift(report(10), report(10)), 0);
  assert.ok(Math.abs(drift(report(10), report(8)) - 0.25) < 1e-12);
  assert.ok(Math.abs(drift(report(8), report(10)) - 0.25) < 1e-12);
});

test('ceilings that moved are told with how far, and steady ones are not', () => {
  assert.is(driftWarning(report(10), report(10.4)), '');
  assert.match(
    driftWarning(report(59.4), report(46.9)),
    /^WARNING: the ceilings moved: multiply-adds 59\.4 -> 46\.9 GFLOP\/s \(-21 %\)\. /,
  );
  assert.match(driftWarning(report(46.9), report(59.4)), /\(\+27 %\)/);
});

test('reports of other adapters or work are refused', () => {
  checkComparable(report(1), report(2), 'old.json');
  const elsewhere = report(1, { adapter: { vendor: '', architecture: '', device: 'c', description: 'd' } });
  assert.throws(
    () => checkComparable(elsewhere, report(1), 'old.json'),
    /old\.json: measured on c d, this run is on a b/,
  );
  assert.throws(
    () => checkComparable(report(1, { clock: 'processor' }), report(1), 'old.json'),
    /--processor-time, this run has --batch 16 --size 64$/,
  );
  assert.throws(
    () => checkComparable(report(1, { work: { batch: 1, size: 64 } }), report(1), 'old.json'),
    /--batch 1 --size 64/,
  );
});

test.run();
