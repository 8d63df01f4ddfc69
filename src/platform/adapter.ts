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

export const { openDevice, ensureAdapter, adapterEnvironment, releaseGpu } = backend;
