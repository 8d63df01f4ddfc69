import type { Device } from '../gpu/device.ts';
import known from './known-adapters.json' with { type: 'json' };

/** What was measured on an adapter before this version was shipped, so that nobody waits on first use. */
export interface TuningTable {
  /** How the adapter's device name begins; versions that follow it are of no account, since a choice changes speed alone. */
  readonly device: string;
  readonly subgroupSize: number;
  /** Machine, driver and date. */
  readonly measured: string;
  /** Only what differs from the kernels' own preference: the question's key, the digest of its variants' code, the variant. */
  readonly choices: readonly (readonly [question: string, code: string, variant: string])[];
}

export const KNOWN_ADAPTERS = known as unknown as readonly TuningTable[];

/** The shipped table of an adapter, if there is one. */
export function tableFor({ description, traits }: Device, tables: readonly TuningTable[] = KNOWN_ADAPTERS): TuningTable | undefined {
  return tables.find(({ device, subgroupSize }) => description.device.startsWith(device) && traits.subgroupSize === subgroupSize);
}
