import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inShard, parseShard } from '../../src/cli/files/shard.ts';

test('a shard is given, or taken from Slurm or Kubernetes', () => {
  assert.equal(parseShard('2/8', {}), { index: 2, count: 8 });
  assert.equal(parseShard('auto/8', { JOB_COMPLETION_INDEX: '5' }), { index: 5, count: 8 });
  assert.equal(
    parseShard('auto', { SLURM_ARRAY_TASK_ID: '4', SLURM_ARRAY_TASK_MIN: '1', SLURM_ARRAY_TASK_COUNT: '4' }),
    {
      index: 3,
      count: 4,
    },
  );
  assert.equal(parseShard('auto/9', { SLURM_ARRAY_TASK_ID: '4' }), { index: 4, count: 9 });
});

test('what is no shard is refused with what to write', () => {
  const refused = (text: string, environment: NodeJS.ProcessEnv, message: RegExp): void =>
    assert.throws(() => parseShard(text, environment), message);
  refused('8', {}, /write 0\/8 to 7\/8/);
  refused('-1/8', {}, /write 0\/8 to 7\/8/);
  refused('8/8', {}, /they count from 0/);
  refused('auto/8', {}, /neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set/);
  refused('auto', { JOB_COMPLETION_INDEX: '1' }, /SLURM_ARRAY_TASK_COUNT is not set/);
  refused('auto/8', { JOB_COMPLETION_INDEX: 'x' }, /is no shard/);
});

test('every path is in one shard, and shards are of like size', () => {
  const paths = Array.from({ length: 3000 }, (_, index) => `folder/${index}.jpg`);
  const count = 7;
  const sizes = Array.from(
    { length: count },
    (_, index) => paths.filter((path) => inShard(path, { index, count })).length,
  );
  assert.is(
    sizes.reduce((sum, size) => sum + size, 0),
    paths.length,
  );
  // Four standard deviations of a binomial distribution.
  const [mean, deviation] = [3000 / 7, Math.sqrt((3000 * 6) / 49)];
  assert.ok(
    sizes.every((size) => Math.abs(size - mean) < 4 * deviation),
    sizes.join(' '),
  );
});

test.run();
