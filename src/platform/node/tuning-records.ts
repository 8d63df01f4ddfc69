import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  adapterIdentity,
  emptyRecords,
  parseRecords,
  serializeRecords,
  type TuningRecords,
} from '../../tuning/records.ts';
import type { Device } from '../../gpu/device.ts';
import { cacheFolder } from './cache-folder.ts';
import { writeFileAtomically } from './files.ts';
import { isUnsafe } from './unsafe-devices.ts';

/** The file in which everything that is known of a device's adapter, with its driver, is kept. */
export function tuningFile(device: Device): string {
  const name = adapterIdentity(device.description)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 180);
  // Checks of indices change both the speed and what goes unnoticed.
  return path.join(cacheFolder(), 'tuning', `${name}${isUnsafe(device) ? '' : '-robust'}.json`);
}

/**
 * What is known of a device's adapter. A file that cannot be used is left aside with a note: all in it can be found out
 * again.
 */
export async function readTuningRecords(
  device: Device,
  onNote: (note: string) => void,
  file = tuningFile(device),
): Promise<TuningRecords> {
  const adapter = adapterIdentity(device.description);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      onNote(`${file} cannot be read, and is left aside: ${(error as Error).message}`);
    return emptyRecords(adapter);
  }
  const { records, note } = parseRecords(text, adapter);
  if (note !== undefined) onNote(`${file} is left aside where it is not as it should be: ${note}`);
  return records;
}

/** Keeps what is known for the next start. Where it cannot be written, the next start finds it out again. */
export async function writeTuningRecords(
  device: Device,
  records: TuningRecords,
  onNote: (note: string) => void,
  file = tuningFile(device),
): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    // Another process may have found out something meanwhile; the first reading told of what is wrong with the file.
    const written = await readTuningRecords(device, () => undefined, file);
    for (const digest of written.proven) records.proven.add(digest);
    for (const [key, record] of written.choices) if (!records.choices.has(key)) records.choices.set(key, record);
    await writeFileAtomically(file, new TextEncoder().encode(serializeRecords(records)));
  } catch (error) {
    onNote(`${file} cannot be written, so the next start verifies again: ${(error as Error).message}`);
  }
}
