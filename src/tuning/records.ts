import type { AdapterDescription } from '../gpu/device.ts';

const FORMAT = 'sketchgrad tuning 1';

/** How much time a tuning may take. */
export const TUNING_EFFORTS = ['quick', 'full', 'off'] as const;
/** How much time a tuner may take: see `TunerOptions`. */
export type TuningEffort = (typeof TUNING_EFFORTS)[number];

/** Which variant won a problem, and on which code it ran. */
export interface ChoiceRecord {
  readonly variant: string;
  /**
   * The digest of all variants that there were to choose from, so that a changed shader or a new variant makes the
   * record void.
   */
  readonly code: string;
  readonly effort: Exclude<TuningEffort, 'off'>;
  /** Milliseconds of each variant that was timed to the end. */
  readonly milliseconds: Readonly<Record<string, number>>;
}

/** All that was found out on one adapter with one driver. */
export interface TuningRecords {
  readonly adapter: string;
  /**
   * Digests of the tests that were passed, see Qualification. Failures are not kept: they are found, and told, each
   * time.
   */
  readonly proven: Set<string>;
  /** By `tuningKey`. */
  readonly choices: Map<string, ChoiceRecord>;
}

export function emptyRecords(adapter: string): TuningRecords {
  return { adapter, proven: new Set(), choices: new Map() };
}

/** The adapter and its driver, in the driver's words. */
export function adapterIdentity({ vendor, architecture, device, description }: AdapterDescription): string {
  return [vendor, architecture, device, description].join(' | ');
}

/** The records as JSON text, which `parseRecords` reads. */
export function serializeRecords({ adapter, proven, choices }: TuningRecords): string {
  return `${JSON.stringify({ format: FORMAT, adapter, proven: [...proven].sort(), choices: Object.fromEntries([...choices].sort(([a], [b]) => (a < b ? -1 : 1))) }, null, 1)}\n`;
}

/**
 * Reads records out of a file that anybody may have written: what is not as it should be is left out, and nothing in
 * them can do more than prefer one variant to another or spare a test that was passed.
 * @returns a note where something was wrong with the file
 */
export function parseRecords(
  text: string,
  adapter: string,
): { readonly records: TuningRecords; readonly note?: string } {
  const records = emptyRecords(adapter);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { records, note: 'it is no JSON' };
  }
  if (!isObject(content) || content.format !== FORMAT) return { records, note: `it is not of the format "${FORMAT}"` };
  if (content.adapter !== adapter)
    return { records, note: `it is of another adapter or driver, ${String(content.adapter)}` };
  if (!Array.isArray(content.proven) || !isObject(content.choices)) return { records, note: 'parts of it are missing' };
  let damaged = 0;
  for (const digest of content.proven) {
    if (typeof digest === 'string' && /^[0-9a-f]{16}$/.test(digest)) records.proven.add(digest);
    else damaged++;
  }
  for (const [key, record] of Object.entries(content.choices)) {
    if (isChoiceRecord(record)) records.choices.set(key, record);
    else damaged++;
  }
  return { records, ...(damaged > 0 && { note: `${damaged} of its entries are damaged` }) };
}

function isChoiceRecord(value: unknown): value is ChoiceRecord {
  return (
    isObject(value) &&
    typeof value.variant === 'string' &&
    typeof value.code === 'string' &&
    (value.effort === 'quick' || value.effort === 'full') &&
    isObject(value.milliseconds) &&
    Object.values(value.milliseconds).every((time) => typeof time === 'number')
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
