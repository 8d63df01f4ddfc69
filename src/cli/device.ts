import { ensureAdapter, openDevice, type AdapterChoice, type DeviceAccess } from '../platform/adapter.ts';
import type { Device } from '../gpu/device.ts';
import { OptionError } from './options/option.ts';
import type { Precision } from '../models/image-input.ts';

let lent: Device | undefined;

/**
 * Lets the commands that follow compute on an open device instead of one of their own, where --adapter leaves the
 * choice to them. A program that runs many commands compiles each pipeline once so, as the tests do. `undefined` ends
 * it.
 */
export function lendDevice(device: Device | undefined): void {
  lent = device;
}

/**
 * The device on which a command computes. Commands compute with kernels of ours alone, on files of the user's, so they
 * are opened for speed; what serves others is not.
 * @throws AdapterError where there is none
 */
export async function openCommandDevice(
  choice: AdapterChoice,
  access: DeviceAccess = { unsafe: true },
): Promise<Device> {
  if (lent !== undefined && choice === 'auto') return lent;
  await ensureAdapter(choice);
  return openDevice(choice, access);
}

/** Gives a command's device back. One that was lent stays open. */
export function closeCommandDevice(device: Device): void {
  if (device !== lent) device.dispose();
}

/** Checks that a device can store activations so. @throws OptionError where the device cannot do it */
export function checkPrecision({ traits, description }: Device, precision: Precision): void {
  if (precision === 'f16' && traits.f16 !== true) {
    throw new OptionError(
      `--precision f16: ${description.device} has no 16-bit floats (shader-f16). Leave the flag out, or choose another --adapter`,
    );
  }
}
