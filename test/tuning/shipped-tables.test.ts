import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL_KERNELS } from '../../kernels/index.ts';
import { variantsOf } from '../../scripts/shipped-tuning.ts';
import { codeDigest, Digests } from '../../src/tuning/digests.ts';
import { KNOWN_ADAPTERS } from '../../src/tuning/tables.ts';

test('every entry of the shipped tuning tables is of the code that ships, and names one of its variants', async () => {
  const digests = new Digests();
  const outdated: string[] = [];
  for (const table of KNOWN_ADAPTERS)
    for (const [key, code, variant] of table.choices) {
      const calls = variantsOf(ALL_KERNELS, table, key);
      const isValid = calls.some((call) => call.variant === variant) && (await codeDigest(calls, digests)) === code;
      if (!isValid) outdated.push(`${table.device}: ${key}`);
    }
  assert.equal(
    outdated,
    [],
    'Entries of other code are ignored. If the variants compute the same as those that were measured, carry the entries over: npx tsx scripts/carry-tuning.ts OLD_CHECKOUT. Otherwise measure them again (docs/tuning.md).',
  );
});

test.run();
