import { existsSync } from 'node:fs';
import { KERNEL_MODULES } from '../../kernels/index.ts';
import { entriesOf, type Entry } from './entries.ts';
import type { KernelBench, Work } from './kernel-bench.ts';

/** The module whose kernels are made from a table, each with a benchmark in the list that its one file exports. */
const TABLE = 'pointwise';

const urlOf = (file: string): URL => new URL(`../kernels/${file}`, import.meta.url);

/**
 * The files of benchmarks by the name of the first kernel of their module. Modules without a file are in the list that
 * the file of their family exports, such as optimizer/optimizer.bench.ts.
 */
const FILES: ReadonlyMap<string, string> = new Map(
  KERNEL_MODULES.flatMap(({ family, module, kernels }) => {
    const own = `${family}/${module}.bench.ts`;
    const file = existsSync(urlOf(own)) ? own : `${family}/${family}.bench.ts`;
    return kernels.slice(0, module === TABLE ? kernels.length : 1).map(({ name }): [string, string] => [name, file]);
  }),
);

/** Names of all benchmarks. */
export const benchNames = (): string[] => [...FILES.keys()].sort();

/** The benchmark of a name of `benchNames`. */
export async function loadBench(name: string): Promise<KernelBench<unknown>> {
  const file = urlOf(FILES.get(name) as string);
  type Benches = KernelBench<unknown> | readonly KernelBench<unknown>[];
  const benches = ((await import(file.href)) as { default: Benches }).default;
  return [benches]
    .flat()
    .find(({ kernel }, _, { length }) => length === 1 || kernel.name === name) as KernelBench<unknown>;
}

export interface Selection {
  /** Names of benches; all but the measuring kernels' if there are none. */
  readonly kernels: readonly string[];
  /** Parts of a problem's name, one of which it must have. */
  readonly shapes: readonly string[];
}

/** The problems to be timed, kernel by kernel. */
export async function catalogue({ kernels, shapes }: Selection, work: Work): Promise<Entry[]> {
  const names = benchNames();
  for (const name of kernels) {
    if (!names.includes(name)) throw new RangeError(`no bench is called ${name}; there are ${names.join(', ')}`);
  }
  const entries: Entry[] = [];
  // The measuring kernels give the ceilings at the start of each run.
  for (const name of kernels.length > 0 ? kernels : names.filter((name) => !name.startsWith('measure_'))) {
    entries.push(...entriesOf(name, await loadBench(name), shapes, work));
  }
  if (entries.length === 0) throw new RangeError(`no shape's name contains ${shapes.join(' or ')}`);
  return entries;
}
