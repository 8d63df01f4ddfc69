/** The adapter in Node: Dawn, from npm `webgpu`. */
import { constants } from 'node:os';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { Device, isSoftware, requestGpuDevice } from '../../gpu/device.ts';
import { AdapterError } from '../../gpu/errors.ts';
import {
  lavapipeEnvironment,
  noAdapterMessage,
  SELECT_IN_PROGRAM,
  swiftShaderEnvironment,
  type AdapterChoice,
  type DeviceAccess,
} from './drivers.ts';
import { compilesAtFirstDispatch, finishInParallel } from './deferred-compilation.ts';
import { napUntil } from './napping.ts';
import { quietly } from './native-warnings.ts';
import { markUnsafe } from './unsafe-devices.ts';

/**
 * Dawn clamps every index in a shader, which browsers cannot do without. Our kernels check their own, so a program may
 * leave the clamps out (`DeviceAccess.unsafe`).
 */
const UNCLAMPED = 'disable_robustness';

/** Experimental features, such as matrix units, have to be enabled explicitly. */
const EXPERIMENTAL = 'allow_unsafe_apis';

/**
 * Dawn holds 16-bit floats back on NVIDIA's Vulkan drivers, which lack them between the stages of a drawing. Computing
 * has no such stages; like all else, what they compute is verified on the device before it is used.
 */
const HALVES_ON_NVIDIA = 'vulkan_enable_f16_on_nvidia';

/**
 * Workgroup memory starts as zeros. Left to Vulkan's extension, SwiftShader needs 3.5 s to compile a kernel with 16 KiB
 * of it; with the loop that Dawn writes instead, 0.15 s.
 */
const ZEROS_BY_DRIVER = 'use_vulkan_zero_initialize_workgroup_memory_extension';

/**
 * Dawn rounds timestamps to 65.536 us, which keeps pages from timing attacks. Natively there are no pages, and profiles
 * need the clock as it is.
 */
const ROUNDED_TIMES = 'timestamp_quantization';

const WITHOUT = `disable-dawn-features=${ZEROS_BY_DRIVER},${ROUNDED_TIMES}`;

/**
 * Dawn's instance, with the requests and devices that use it. Collected while one of its objects is in use, it takes
 * the process along.
 */
interface Instance {
  readonly gpu: GPU;
  readonly unsafe: boolean;
  users: number;
}

/** The instances for the next requests, by their toggles: Dawn sets them for a whole instance. */
const current = new Map<string, Instance>();
/** Those in use, which keeps them referenced, whether or not they are the current one. */
const inUse = new Set<Instance>();

/** Uses an instance; `release` says when it is used no longer. */
async function acquire(unsafe: boolean, dawnFeatures: readonly string[] = []): Promise<Instance> {
  // Not at import: a program that only renders pages on a server may have neither the package nor a driver.
  const { create, globals } = await import('webgpu').catch((cause: unknown) => {
    throw new AdapterError(
      `WebGPU in Node comes from the npm package webgpu, which cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}. Run \`npm install webgpu\`.`,
      { cause },
    );
  });
  const features = [...(unsafe ? [UNCLAMPED, EXPERIMENTAL] : []), HALVES_ON_NVIDIA, ...dawnFeatures];
  const key = features.join(',');
  let instance = current.get(key);
  if (instance === undefined) {
    Object.assign(globalThis, globals);
    instance = { users: 0, unsafe, gpu: create([`enable-dawn-features=${key}`, WITHOUT]) };
    current.set(key, instance);
  }
  instance.users++;
  inUse.add(instance);
  return instance;
}

function release(instance: Instance): void {
  if (--instance.users === 0) inUse.delete(instance);
}

/**
 * A device is lost when it is disposed of, at the latest. Dawn tells of it from within a call of its own, and crashes
 * where the instance goes before that call returns.
 */
function releaseWhenLost(gpu: GPUDevice, instance: Instance): void {
  void gpu.lost.then(() => void setTimeout(() => release(instance), 0));
}

/** Does something with the adapter that this process sees, whose instance stays meanwhile. */
async function withAdapter<Result>(
  use: (adapter: GPUAdapter | null, instance: Instance) => Result,
  unsafe = current.size > 0 && [...current.values()].every((instance) => instance.unsafe),
  dawnFeatures?: readonly string[],
): Promise<Awaited<Result>> {
  const instance = await acquire(unsafe, dawnFeatures);
  try {
    const adapter = await quietly(() => instance.gpu.requestAdapter({ powerPreference: 'high-performance' }));
    return await use(adapter === null || /null/i.test(adapter.info.device) ? null : adapter, instance);
  } finally {
    release(instance);
  }
}

/**
 * Opens the adapter that this process sees. Call `ensureAdapter` first where SwiftShader may be needed.
 * @param access whether to trade safety for speed; safe by default
 * @returns a device of its own; give it back with `dispose`
 * @throws AdapterError where there is no adapter, with the call or the variables that select one
 */
export function openDevice(
  choice: AdapterChoice = 'auto',
  { unsafe = false, dawnFeatures }: DeviceAccess = {},
): Promise<Device> {
  return withAdapter(
    async (adapter, instance) => {
      if (adapter === null) throw new AdapterError(`${noAdapterMessage()} ${SELECT_IN_PROGRAM}`);
      if (choice === 'gpu' && isSoftware(adapter.info)) {
        throw new AdapterError(
          `--adapter gpu was requested, but the only adapter is ${adapter.info.device} ${adapter.info.description}, in software`,
        );
      }
      const finish = compilesAtFirstDispatch(adapter.info)
        ? finishInParallel(() => openAnother(instance), napUntil)
        : undefined;
      const device = await Device.open(adapter, isSoftware(adapter.info) ? napUntil : undefined, finish);
      // Its few buffers are made now, so that a program allocates just what it predicts.
      await finish?.(device.gpu, []);
      if (instance.unsafe) markUnsafe(device);
      instance.users++;
      releaseWhenLost(device.gpu, instance);
      return device;
    },
    unsafe && process.env.SKETCHGRAD_ROBUST === undefined,
    dawnFeatures,
  );
}

/** Another GPUDevice of the adapter that an instance has. The instance stays until it is lost. */
async function openAnother(instance: Instance): Promise<GPUDevice> {
  const adapter = await instance.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new AdapterError(noAdapterMessage());
  const gpu = await requestGpuDevice(adapter);
  instance.users++;
  releaseWhenLost(gpu, instance);
  return gpu;
}

/**
 * Drops this module's reference to Dawn. Open devices and requests under way keep theirs, so that Dawn goes when the
 * last of them ends.
 */
export function releaseGpu(): void {
  current.clear();
}

/**
 * Makes this process see the chosen adapter, for every `openDevice` that follows. `auto` selects SwiftShader where the
 * machine has no driver. It sets VK_DRIVER_FILES and VK_ICD_FILENAMES of this process; no other process is started.
 *
 * In a worker thread call it with `env: SHARE_ENV`, or call it in the main thread before the worker starts: the driver
 * loader reads the environment of the process, and a worker's `process.env` is a copy.
 * @throws AdapterError where the choice cannot be met, with what to install or which variables to set
 */
export async function ensureAdapter(choice: AdapterChoice = 'auto'): Promise<void> {
  const variables = await adapterEnvironment(choice);
  if (variables === null || variables.VK_DRIVER_FILES === process.env.VK_DRIVER_FILES) return;
  const before = { VK_DRIVER_FILES: process.env.VK_DRIVER_FILES, VK_ICD_FILENAMES: process.env.VK_ICD_FILENAMES };
  selectDriver(variables);
  // An instance knows only the drivers that were present when its first adapter was requested.
  releaseGpu();
  const isSelected = async (): Promise<boolean> => {
    const found = await withAdapter((adapter) => adapter !== null && isFrom(adapter.info, variables.VK_DRIVER_FILES));
    if (!found) releaseGpu();
    return found;
  };
  if (await isSelected()) return;
  // SwiftShader brings the Vulkan loader, for machines that have none. Where the system has one, two loaders in a
  // process would crash it.
  if (variables.LD_LIBRARY_PATH !== undefined && isMainThread) {
    loadVulkanLoader(variables.VK_DRIVER_FILES);
    if (await isSelected()) return;
  }
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  const settings = Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  throw new AdapterError(
    isMainThread
      ? `the driver ${variables.VK_DRIVER_FILES} offers no adapter here`
      : `a worker thread cannot select a driver: its process.env is a copy, which the driver loader does not see. Call ensureAdapter() in the main thread before the worker starts, start the worker with { env: SHARE_ENV }, or start the process with ${settings}`,
  );
}

/** RTLD_NODELETE of Linux: what is loaded stays in memory, also when Node finds that it is no addon and closes it. */
const STAYS_LOADED = 0x1000;

/** Points the Vulkan loader at a driver. */
function selectDriver(variables: Readonly<Record<string, string>>): void {
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'])
    if (variables[name] !== undefined) process.env[name] = variables[name];
}

/**
 * Loads the Vulkan loader that lies beside a driver. LD_LIBRARY_PATH is read when a process starts, and only then; but
 * a library that is in memory already is found by its name.
 */
function loadVulkanLoader(driverFile: string): void {
  const loader = path.join(path.dirname(driverFile), 'libvulkan.so.1');
  try {
    process.dlopen({ exports: {} }, loader, constants.dlopen.RTLD_NOW | STAYS_LOADED);
  } catch (error) {
    if (!String(error).includes('did not self-register'))
      throw new AdapterError(`${loader} cannot be loaded: ${String(error)}`, { cause: error });
  }
}

/** Whether an adapter belongs to the driver of a file such as .../lvp_icd.x86_64.json. */
function isFrom(info: GPUAdapterInfo, driverFile: string): boolean {
  const name = `${info.device} ${info.description}`;
  return /lvp/.test(path.basename(driverFile)) ? /llvmpipe/i.test(name) : /swiftshader/i.test(name);
}

/**
 * The variables under which a process sees the chosen adapter; null where this one sees it already.
 * @throws AdapterError where the choice cannot be met, with what to install.
 */
export async function adapterEnvironment(choice: AdapterChoice): Promise<Record<string, string> | null> {
  if (choice === 'swiftshader') return swiftShaderEnvironment();
  if (choice === 'lavapipe') return lavapipeEnvironment();
  if (await withAdapter((adapter) => adapter !== null)) return null;
  return choice === 'auto' ? swiftShaderEnvironment() : null;
}
