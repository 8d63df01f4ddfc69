import { ensureAdapter, openDevice, type AdapterChoice } from '../platform/adapter.ts';
import type { Device } from '../gpu/device.ts';

let lent: Device | undefined;

/**
 * Lets the commands that follow compute on an open device instead of one of their own, where --adapter leaves the
 * choice to them. A program that runs many commands compiles each pipeline once so, as the tests do. `undefined` ends
 * it.
 */
export function lendDevice(device: Device | undefined): void {
  lent = device;
}

/** The device on which a command computes. @throws AdapterError where there is none */
export async function openCommandDevice(choice: AdapterChoice): Promise<Device> {
  if (lent !== undefined && choice === 'auto') return lent;
  await ensureAdapter(choice);
  return openDevice(choice);
}

/** Gives a command's device back. One that was lent stays open. */
export function closeCommandDevice(device: Device): void {
  if (device !== lent) device.dispose();
}
