// npx tsx scripts/carry-tuning.ts ../other-checkout [--added 'NAME OF A VARIANT'] [--removed 'BEGINNING OF NAMES']
//
// Carries the entries of src/tuning/known-adapters.json over to shaders that compute the same in other words. The other
// checkout holds the code that was measured. An entry is carried over if its digest is that of the other checkout's
// variants; it then gets the digest of this checkout's variants, and the names of those that have
// others now, by their order. The kernel tests must
// show that the variants compute the same bits: this script compares numbers of variants only.
// --added names a variant that the other checkout lacks and that is known to be slower than what was measured; --removed
// the beginning of the names of variants that this one lacks and that no entry chose. Both may be given again.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ALL_KERNELS } from '../kernels/index.ts';
import type { AnyKernel } from '../kernels/kernel.ts';
import { codeDigest, Digests } from '../src/tuning/digests.ts';
import { KNOWN_ADAPTERS, serializeTables, type TuningTable } from '../src/tuning/tables.ts';
import { variantsOf } from './shipped-tuning.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    added: { type: 'string', multiple: true, default: [] },
    removed: { type: 'string', multiple: true, default: [] },
  },
});
const [other] = positionals;
if (other === undefined) throw new Error("usage: npx tsx scripts/carry-tuning.ts ../other-checkout [--added 'NAME']");
const { ALL_KERNELS: otherKernels } = (await import(pathToFileURL(path.resolve(other, 'kernels/index.ts')).href)) as {
  ALL_KERNELS: readonly AnyKernel[];
};

const digests = new Digests();
const left: string[] = [];
const carried: TuningTable[] = [];
for (const table of KNOWN_ADAPTERS) {
  const choices: TuningTable['choices'][number][] = [];
  for (const choice of table.choices) {
    const [key, code, variant, milliseconds] = choice;
    const all = variantsOf(otherKernels, table, key);
    const isKept = (name: string): boolean => !values.removed.some((start) => name.startsWith(start));
    const before = all.filter((call) => isKept(call.variant));
    const now = variantsOf(ALL_KERNELS, table, key);
    const lasting = now.filter((call) => !values.added.includes(call.variant));
    if (!isKept(variant) || before.length !== lasting.length || (await codeDigest(all, digests)) !== code) {
      left.push(`${table.device}: ${key}`);
      choices.push(choice);
      continue;
    }
    // A variant that has no namesake is the one in its place.
    const rename = (name: string): string =>
      (lasting.find((call) => call.variant === name) ?? lasting[before.findIndex((call) => call.variant === name)])
        .variant;
    choices.push([
      key,
      await codeDigest(now, digests),
      rename(variant),
      Object.fromEntries(
        Object.entries(milliseconds)
          .filter(([name]) => isKept(name))
          .map(([name, time]) => [rename(name), time]),
      ),
    ]);
  }
  carried.push({ ...table, choices });
}
writeFileSync(new URL('../src/tuning/known-adapters.json', import.meta.url), serializeTables(carried));
const total = KNOWN_ADAPTERS.reduce((sum, { choices }) => sum + choices.length, 0);
console.log(`${total - left.length} of ${total} entries carried over`);
for (const key of left) console.log(`left as it was, since its digest is not that of ${other}: ${key}`);
