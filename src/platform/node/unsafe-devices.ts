/** Devices that were opened without Dawn's index checks. */
import type { Device } from '../../gpu/device.ts';

const devices = new WeakSet<Device>();

export const markUnsafe = (device: Device): void => void devices.add(device);
export const isUnsafe = (device: Device): boolean => devices.has(device);
