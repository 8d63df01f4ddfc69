// A small share of scripts/trials/mutations.ts, which reads 100,000 changed files.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runMutations } from '../../scripts/trials/mutations.ts';

test('3,000 changed files of every kind: each is refused by its reader, in few words, or sound', async () => {
  const { refused, accepted, failures } = await runMutations(3000, 1);
  assert.equal(failures, []);
  assert.ok(refused > 1500 && accepted > 300, `${refused} refused, ${accepted} accepted`);
});

test.run();
