import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL_KERNELS } from '../../kernels/index.ts';
import { variantsOf } from '../../scripts/shipped-tuning.ts';
import { Digests } from '../../src/tuning/digests.ts';
import { KNOWN_ADAPTERS } from '../../src/tuning/tables.ts';

test('every entry of the shipped tuning tables is of the code that ships, and names one of its variants', async () => {
  const digests = new Digests();
  const outdated: string[] = [];
  for (const table of KNOWN_ADAPTERS)
    for (const [key, code, variant] of table.choices) {
      const call = variantsOf(ALL_KERNELS, table, key).find((one) => one.variant === variant);
      if (call === undefined || (await digests.ofCall(call)) !== code) outdated.push(`${table.device}: ${key}`);
    }
  assert.equal(
    outdated,
    [],
    'Entries of other code are ignored. If the variants compute the same as what was measured, carry the entries over: npx tsx scripts/carry-tuning.ts OLD_CHECKOUT. Otherwise measure them again (docs/tuning.md).',
  );
});

test.run();
