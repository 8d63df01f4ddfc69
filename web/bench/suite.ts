/// The kernels of the suite: those that `npm run bench` times, on the shapes of ResNet50.
import { entriesOf, type Entry } from '../../bench/support/entries.ts';
import type { KernelBench, Work } from '../../bench/support/kernel-bench.ts';

const MODULES = import.meta.glob<KernelBench<unknown> | readonly KernelBench<unknown>[]>(
  '../../bench/kernels/**/*.bench.ts',
  {
    eager: true,
    import: 'default',
  },
);

/**
 * @param kernels their names; all but the measuring ones if there are none
 * @throws RangeError where there is nothing of these names
 */
export function suiteOf(work: Work, kernels: readonly string[] = []): Entry[] {
  const benches = Object.values(MODULES)
    .flat()
    .filter(({ kernel: { name } }) => (kernels.length === 0 ? !name.startsWith('measure_') : kernels.includes(name)))
    .sort((a, b) => (a.kernel.name < b.kernel.name ? -1 : 1));
  const entries = benches.flatMap((bench) => entriesOf(bench.kernel.name, bench, [], work));
  if (entries.length === 0) throw new RangeError(`no kernel is called ${kernels.join(' or ')}`);
  return entries;
}
