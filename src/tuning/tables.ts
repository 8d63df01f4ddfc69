import type { KernelCall } from '../../kernels/kernel.ts';
import { selectedCall, tuningKey, type TuningProblem } from '../autodiff/variant-selector.ts';
import type { Device } from '../gpu/device.ts';
import { Digests } from './digests.ts';
import type { TuningRecords } from './records.ts';
import known from './known-adapters.json' with { type: 'json' };

/** What was measured on an adapter before this version was shipped, so that the first use need not wait. */
export interface TuningTable {
  /**
   * How the adapter's device name begins; versions that follow it are of no account, since a choice changes speed
   * alone.
   */
  readonly device: string;
  readonly subgroupSize: number;
  /** Machine, driver and date. */
  readonly measured: string;
  /** How many problems were measured, and in how many of them the variant that the kernel prefers was the fastest. */
  readonly problems: number;
  readonly preferenceBest: number;
  /**
   * All problems that were measured: the key of the problem (`tuningKey`), the digest of the fastest variant's code, its
   * name, and the milliseconds of that one and of the best other. An entry is valid as long as the code of that variant
   * is the same: new variants beside it do not void it. Where the fastest is the one that the kernel prefers, an entry
   * changes nothing, and is there as evidence.
   */
  readonly choices: readonly (readonly [
    key: string,
    code: string,
    variant: string,
    milliseconds: Readonly<Record<string, number>>,
  ])[];
}

export const KNOWN_ADAPTERS = known as unknown as readonly TuningTable[];

/** The shipped table of an adapter, if there is one. */
export function tableFor(
  { description, traits }: Device,
  tables: readonly TuningTable[] = KNOWN_ADAPTERS,
): TuningTable | undefined {
  return tables.find(
    ({ device, subgroupSize }) => description.device.startsWith(device) && traits.subgroupSize === subgroupSize,
  );
}

/** The table of a device, of what was measured for these problems. @param date as in 2026-11-25 */
export async function tableOf(
  { description, traits }: Pick<Device, 'description' | 'traits'>,
  tuningProblems: readonly TuningProblem[],
  { choices }: TuningRecords,
  date: string,
): Promise<TuningTable> {
  const digests = new Digests();
  const measured = tuningProblems.flatMap((tuningProblem) => {
    const key = tuningKey(tuningProblem);
    const record = choices.get(key);
    // With one right variant there was nothing to measure.
    return record === undefined || record.milliseconds[record.variant] === undefined
      ? []
      : [{ key, record, calls: tuningProblem.calls }];
  });
  return {
    // Software adapters carry the version of their compiler in their name.
    device: description.device.replace(/-llvm-.*$/, '').replace(/-+$/, ''),
    subgroupSize: traits.subgroupSize,
    measured: `${description.description || description.device}, ${date}`,
    problems: measured.length,
    preferenceBest: measured.filter(({ record, calls }) => record.variant === calls[0].variant).length,
    choices: (
      await Promise.all(
        measured.map(async ({ key, record: { variant, milliseconds }, calls }) => {
          const call = selectedCall(calls, variant) as KernelCall;
          return [key, await digests.ofCall(call), variant, bestTwo(milliseconds, variant)] as const;
        }),
      )
    ).sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

function bestTwo(milliseconds: Readonly<Record<string, number>>, chosen: string): Record<string, number> {
  const others = Object.entries(milliseconds)
    .filter(([variant]) => variant !== chosen)
    .sort(([, a], [, b]) => a - b);
  return Object.fromEntries(
    [[chosen, milliseconds[chosen]] as const, ...others.slice(0, 1)].map(([variant, time]) => [
      variant,
      Number(time.toPrecision(3)),
    ]),
  );
}

/** One choice a line, so that a change shows what it changes. */
export function serializeTables(tables: readonly TuningTable[]): string {
  const text = tables.map(
    ({ choices, ...about }) =>
      `${JSON.stringify(about).slice(0, -1)},"choices":[\n${choices.map((one) => JSON.stringify(one)).join(',\n')}\n]}`,
  );
  return `[\n${text.join(',\n')}\n]\n`;
}
