import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RemainingTime } from '../../src/cli/display/remaining-time.ts';

test('remaining time: a slow start is no estimate', () => {
  const remaining = new RemainingTime();
  // The first step compiles for 30 s, each later one takes 0.1 s.
  assert.is(remaining.after(0, 1000, 0), undefined);
  assert.is(remaining.after(1, 1000, 30_000), undefined);
  for (let done = 2; done < 50; done++) assert.is(remaining.after(done, 1000, 30_000 + 100 * (done - 1)), undefined);
  assert.is(Math.round(remaining.after(50, 1000, 34_900) as number), 95);
});

test('remaining time: a resumed run counts from its first report', () => {
  const remaining = new RemainingTime();
  for (const done of [500, 501, 502]) assert.is(remaining.after(done, 600, 1000 * done), undefined);
  assert.is(remaining.after(503, 600, 503_000), 97);
});

test.run();
