import type { Device } from '../gpu/device.ts';
import type { AdapterChoice, DeviceAccess } from './node/drivers.ts';

/**
 * The platform backend of the runtime: Deno comes with WebGPU, Node takes Dawn from npm. The names are the same behind both.
 */
export {
  ADAPTER_CHOICES,
  lavapipeDriver,
  swiftShaderEnvironment,
  type AdapterChoice,
  type DeviceAccess,
} from './node/drivers.ts';

const backend = 'Deno' in globalThis ? await import('./deno/adapter.ts') : await import('./node/adapter.ts');

export const { ensureAdapter, adapterEnvironment, releaseGpu } = backend;
/** Opens the adapter that this process sees. Deno has no unsafe devices. */
export const openDevice: (choice?: AdapterChoice, access?: DeviceAccess) => Promise<Device> = backend.openDevice;
