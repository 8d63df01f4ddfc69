/** The adapter in Deno, whose own WebGPU (wgpu) is used; npm `webgpu` is never loaded there. */
import path from 'node:path';
import { Device, isSoftware } from '../../gpu/device.ts';
import { AdapterError } from '../../gpu/errors.ts';
import {
  lavapipeEnvironment,
  noAdapterMessage,
  SELECT_IN_PROGRAM,
  swiftShaderEnvironment,
  type AdapterChoice,
} from '../node/drivers.ts';

/** What this backend needs of Deno. */
declare const Deno: {
  readonly env: { set(name: string, value: string): void };
  dlopen(file: string, symbols: Record<string, never>): unknown;
};

/**
 * Opens the adapter that this process sees. Call `ensureAdapter` first where a software adapter may be needed.
 * @returns a device of its own; give it back with `dispose`
 * @throws AdapterError where there is no adapter, with the call or the variables that select one
 */
export async function openDevice(choice: AdapterChoice = 'auto'): Promise<Device> {
  const adapter = await findAdapter();
  if (adapter === null) throw new AdapterError(`${noAdapterMessage()} ${SELECT_IN_PROGRAM}`);
  if (choice === 'gpu' && isSoftware(adapter.info)) {
    throw new AdapterError(
      `--adapter gpu was requested, but the only adapter is ${adapter.info.device} ${adapter.info.description}, in software`,
    );
  }
  return Device.open(adapter);
}

/**
 * Makes sure that this process sees the adapter that was chosen. Deno loads the Vulkan loader at the first request for
 * an adapter, and the loader reads the variables then; so unlike in Node nothing has to be started again.
 */
export async function ensureAdapter(choice: AdapterChoice = 'auto'): Promise<void> {
  const variables = await adapterEnvironment(choice);
  if (variables === null) return;
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'])
    if (variables[name] !== undefined) Deno.env.set(name, variables[name]);
  // LD_LIBRARY_PATH is read when a process starts; a loader that is in memory is found without it.
  if (variables.LD_LIBRARY_PATH !== undefined)
    Deno.dlopen(path.join(variables.LD_LIBRARY_PATH.split(path.delimiter)[0], 'libvulkan.so.1'), {});
}

/** The variables under which a process sees the chosen adapter; null where this one sees it already. */
export async function adapterEnvironment(choice: AdapterChoice): Promise<Record<string, string> | null> {
  if (choice === 'swiftshader') return swiftShaderEnvironment();
  if (choice === 'lavapipe') return lavapipeEnvironment();
  return choice === 'gpu' || (await findAdapter()) !== null ? null : swiftShaderEnvironment();
}

/** Nothing keeps a Deno process but its own work. */
export function releaseGpu(): void {}

async function findAdapter(): Promise<GPUAdapter | null> {
  if (navigator.gpu === undefined) throw new AdapterError('this Deno has no WebGPU; Deno 2.8 or newer has it');
  return navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
}
