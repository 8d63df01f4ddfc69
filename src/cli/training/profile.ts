import type { Device } from '../../gpu/device.ts';
import type { Span } from '../../gpu/profiler.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import type { TrainedRetrieval } from '../../training/run-options.ts';
import { note } from '../display/progress.ts';

/** Writes the time of every kernel of a step as JSON. */
export async function writeProfile(
  file: string,
  device: Device,
  { profile = [], deviceBusy, seconds, stepsDone }: TrainedRetrieval,
): Promise<void> {
  const total = profile.reduce((sum, { duration }) => sum + duration, 0);
  const kernels = new Map<string, { dispatches: number; microseconds: number }>();
  for (const { label, duration } of profile) {
    const kernel = kernels.get(label) ?? { dispatches: 0, microseconds: 0 };
    kernels.set(label, { dispatches: kernel.dispatches + 1, microseconds: kernel.microseconds + duration });
  }
  const content = {
    adapter: device.description,
    stepsDone,
    deviceBusy,
    seconds,
    microseconds: total,
    kernels: [...kernels]
      .map(([label, kernel]) => ({ label, ...kernel, share: kernel.microseconds / total }))
      .sort((a, b) => b.microseconds - a.microseconds),
    dispatches: profile satisfies readonly Span[],
  };
  await writeFileAtomically(file, new TextEncoder().encode(`${JSON.stringify(content, null, 1)}\n`));
  note(`profile of one step: ${file}`);
}
