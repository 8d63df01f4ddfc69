// npx tsx scripts/carry-tuning.ts ../other-checkout
//
// Carries the entries of src/tuning/known-adapters.json over to shaders that compute the same in other words. The other
// checkout holds the code that was measured. An entry is carried over if its digest is that of its variant there; it then
// gets the digest of the same variant here: the one of the same name, or, where variants were renamed, the one in the
// same place. The kernel tests must show that the two compute the same bits.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ALL_KERNELS } from '../kernels/index.ts';
import type { AnyKernel, KernelCall } from '../kernels/kernel.ts';
import { Digests } from '../src/tuning/digests.ts';
import { KNOWN_ADAPTERS, serializeTables, type TuningTable } from '../src/tuning/tables.ts';
import { variantsOf } from './shipped-tuning.ts';

const other = process.argv[2] as string | undefined;
if (other === undefined) throw new Error('usage: npx tsx scripts/carry-tuning.ts ../other-checkout');
const { ALL_KERNELS: otherKernels } = (await import(pathToFileURL(path.resolve(other, 'kernels/index.ts')).href)) as {
  ALL_KERNELS: readonly AnyKernel[];
};

const digests = new Digests();
const left: string[] = [];

/** The entry with the digest of this checkout's code; undefined where it is of neither checkout. */
async function carried(
  table: TuningTable,
  [key, code, variant, milliseconds]: TuningTable['choices'][number],
): Promise<TuningTable['choices'][number] | undefined> {
  const before = variantsOf(otherKernels, table, key);
  const now = variantsOf(ALL_KERNELS, table, key);
  const here = (name: string): KernelCall | undefined =>
    now.find((call) => call.variant === name) ??
    (now.length === before.length ? now[before.findIndex((call) => call.variant === name)] : undefined);
  const [measured, call] = [before.find((one) => one.variant === variant), here(variant)];
  if (measured === undefined || call === undefined || (await digests.ofCall(measured)) !== code) return undefined;
  const times = Object.entries(milliseconds).map(([name, time]) => [here(name)?.variant ?? name, time]);
  return [key, await digests.ofCall(call), call.variant, Object.fromEntries(times) as Record<string, number>];
}

const tables: TuningTable[] = [];
for (const table of KNOWN_ADAPTERS) {
  const choices: TuningTable['choices'][number][] = [];
  for (const choice of table.choices) {
    const one = await carried(table, choice);
    if (one === undefined) left.push(`${table.device}: ${choice[0]}`);
    choices.push(one ?? choice);
  }
  tables.push({ ...table, choices });
}
writeFileSync(new URL('../src/tuning/known-adapters.json', import.meta.url), serializeTables(tables));
const total = KNOWN_ADAPTERS.reduce((sum, { choices }) => sum + choices.length, 0);
console.log(`${total - left.length} of ${total} entries carried over`);
for (const key of left) console.log(`left as it was, since its digest is not that of ${other}: ${key}`);
