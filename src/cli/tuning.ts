/** How commands choose the variants of kernels. */

import type { Device } from '../gpu/device.ts';
import { readTuningRecords, writeTuningRecords } from '../platform/node/tuning-records.ts';
import { Tuner, type TunerOptions } from '../tuning/tuner.ts';
import { OptionError, type OptionValues } from './options/option.ts';
import { note, Progress } from './display/progress.ts';
import type { TUNING_OPTIONS } from './options/shared.ts';

/** A tuner that goes by what the cache folder holds, adds to it, and shows what it does. */
export async function openTuner(
  device: Device,
  { tune, deterministic }: OptionValues<typeof TUNING_OPTIONS>,
  options: TunerOptions = {},
): Promise<Tuner> {
  const progress = {
    tuning: new Progress('tuning'),
    compiling: new Progress('compiling', false),
    verifying: new Progress('verifying'),
  };
  return new Tuner(device, {
    effort: tune,
    deterministic,
    records: await readTuningRecords(device, note),
    onRecords: (records) => writeTuningRecords(device, records, note),
    onNote: note,
    onProgress: (what, done, total) => {
      progress[what].update(done, total);
      if (done === total) progress[what].stop();
    },
    ...options,
  });
}

/** @throws OptionError where both were requested */
export function checkTuning({ tune, deterministic }: OptionValues<typeof TUNING_OPTIONS>): void {
  if (deterministic && tune !== 'off')
    throw new OptionError(`--tune ${tune}: --deterministic ignores measurements; give one of the two`);
}
