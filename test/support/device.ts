// The device under test. scripts/test.ts runs every suite that imports this module once for each software adapter.
import { openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import type { Device } from '../../src/gpu/device.ts';

let opened: Promise<Device> | undefined;

/** One device for all suites of the process; a test that destroys a device opens its own. */
export function testDevice(): Promise<Device> {
  // As the command and the benchmark open it.
  opened ??= openDevice('auto', { unsafe: true });
  return opened;
}

/** Ends the device, so that the process can end; scripts/test.ts calls it after the last suite. */
export async function closeTestDevice(): Promise<void> {
  if (opened === undefined) return;
  (await opened).dispose();
  opened = undefined;
  releaseGpu();
}
