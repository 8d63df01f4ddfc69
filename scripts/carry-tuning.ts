// npx tsx scripts/carry-tuning.ts ../other-checkout [--added 'NAME OF A VARIANT'] [--removed 'BEGINNING OF NAMES']
//
// Carries the entries of src/tuning/known-adapters.json over to shaders that compute the same in other words. The other
// checkout holds the code that was measured. An entry is carried over if its digest is that of the other checkout's
// variants; it then gets the digest of this checkout's variants, and their names in the same order. The kernel tests must
// show that the variants compute the same bits: this script compares numbers of variants only.
// --added names a variant that the other checkout lacks and that is known to be slower than what was measured; --removed
// the beginning of the names of variants that this one lacks and that no entry chose. Both may be given again.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { AdapterTraits } from '../kernels/contract/adapter-traits.ts';
import { ALL_KERNELS } from '../kernels/index.ts';
import type { AnyKernel, KernelCall } from '../kernels/kernel.ts';
import { codeDigest, Digests } from '../src/tuning/digests.ts';
import { KNOWN_ADAPTERS, serializeTables, type TuningTable } from '../src/tuning/tables.ts';

const PREPARED = ' prepared';
const LIMITS = { maxWorkgroupInvocations: 1024, maxWorkgroupStorageBytes: 32768, maxWorkgroupsPerDimension: 65535 };

/** The traits of the adapters of the tables, as far as variants depend on them. */
const TRAITS: Readonly<Record<string, AdapterTraits>> = {
  llvmpipe: { kind: 'cpu', subgroupSize: 8, f16: true, ...LIMITS },
  'nvidia-h200': { kind: 'gpu', subgroupSize: 32, f16: true, ...LIMITS, maxWorkgroupStorageBytes: 49152 },
};

/** The variants of a table's problem in one checkout, by its key. */
function callsOf(kernels: readonly AnyKernel[], key: string, traits: AdapterTraits): readonly KernelCall[] {
  const prepared = key.endsWith(PREPARED);
  const [name] = key.split(' ', 1);
  const problem: unknown = JSON.parse(key.slice(name.length, prepared ? -PREPARED.length : undefined));
  const kernel = kernels.find((one) => one.name === name);
  // `preparedWeights` is what checkouts before prepacking call it.
  const known = { ...traits, prepackedWeights: prepared, preparedWeights: prepared };
  return kernel?.calls(problem as never, known) ?? [];
}

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
  const traits = TRAITS[table.device];
  const choices: TuningTable['choices'][number][] = [];
  for (const choice of table.choices) {
    const [key, code, variant, milliseconds] = choice;
    const all = callsOf(otherKernels, key, traits);
    const isKept = (name: string): boolean => !values.removed.some((start) => name.startsWith(start));
    const before = all.filter((call) => isKept(call.variant));
    const now = callsOf(ALL_KERNELS, key, traits);
    const lasting = now.filter((call) => !values.added.includes(call.variant));
    if (!isKept(variant) || before.length !== lasting.length || (await codeDigest(all, digests)) !== code) {
      left.push(`${table.device}: ${key}`);
      choices.push(choice);
      continue;
    }
    const rename = (name: string): string => lasting[before.findIndex((call) => call.variant === name)].variant;
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
