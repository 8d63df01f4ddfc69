/** The adapter in Node: Dawn, from npm `webgpu`. */
import { spawn } from 'node:child_process';
import { create, globals } from 'webgpu';
import { Device, isSoftware } from '../../gpu/device.ts';
import { AdapterError } from '../../gpu/errors.ts';
import { lavapipeEnvironment, noAdapterMessage, swiftShaderEnvironment, type AdapterChoice } from './drivers.ts';
import { napUntil } from './napping.ts';

/** Set in a process that was started again for its adapter, so that it never starts a third one. */
const RESPAWNED = 'SKETCHGRAD_ADAPTER_READY';

/**
 * Dawn clamps every index in a shader, which browsers cannot do without. Our kernels check their own, so natively the
 * clamps are left out: SwiftShader's convolutions run 1.4 times faster (docs/rejected.md has what did not help it).
 */
const UNCLAMPED = 'disable_robustness';

/** What is experimental, such as the use of matrix units, Dawn offers only to those who ask for it so. */
const EXPERIMENTAL = 'allow_unsafe_apis';

/**
 * Dawn holds 16-bit floats back on NVIDIA's Vulkan drivers, which lack them between the stages of a drawing. Computing has no such
 * stages; like all else, what they compute is put to the test on the device before it is used.
 */
const HALVES_ON_NVIDIA = 'vulkan_enable_f16_on_nvidia';

/**
 * Workgroup memory starts as zeros. Left to Vulkan's extension, SwiftShader needs 3.5 s to compile a kernel with 16 KiB of it;
 * with the loop that Dawn writes instead, 0.15 s.
 */
const ZEROS_BY_LOOP = 'disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension';

/** Dawn's instance. It must stay referenced while any of its objects is in use, and be let go of for Node to exit. */
let instance: GPU | undefined;

function gpuInstance(): GPU {
  if (instance === undefined) {
    Object.assign(globalThis, globals);
    instance = create(process.env.SKETCHGRAD_ROBUST === undefined ? [`enable-dawn-features=${UNCLAMPED},${EXPERIMENTAL},${HALVES_ON_NVIDIA}`, ZEROS_BY_LOOP] : [ZEROS_BY_LOOP]);
  }
  return instance;
}

async function findAdapter(): Promise<GPUAdapter | null> {
  const adapter = await gpuInstance().requestAdapter({ powerPreference: 'high-performance' });
  return adapter === null || /null/i.test(adapter.info.device) ? null : adapter;
}

/** Opens the adapter that this process sees. Call `ensureAdapter` first where SwiftShader may be needed. */
export async function openDevice(choice: AdapterChoice = 'auto'): Promise<Device> {
  const adapter = await findAdapter();
  if (adapter === null) throw new AdapterError(noAdapterMessage());
  if (choice === 'gpu' && isSoftware(adapter.info)) {
    throw new AdapterError(`--adapter gpu was asked for, but the only adapter is ${adapter.info.device} ${adapter.info.description}, in software`);
  }
  return Device.open(adapter, isSoftware(adapter.info) ? napUntil : undefined);
}

/** Lets go of Dawn, so that the process can end. No device of it may be in use any more. */
export function releaseGpu(): void {
  instance = undefined;
}

/**
 * Makes sure that this process sees the adapter that was chosen. The Vulkan loader reads its variables when the process
 * starts, so where they have to change the process runs itself again and ends with the exit code of that second run.
 */
export async function ensureAdapter(choice: AdapterChoice = 'auto'): Promise<void> {
  if (process.env[RESPAWNED] !== undefined) return;
  const variables = await adapterEnvironment(choice);
  if (variables === null) return;
  const code = await runAgain({ ...process.env, ...variables, [RESPAWNED]: choice });
  process.exit(code);
}

/**
 * The variables under which a process sees the chosen adapter; null where this one sees it already.
 * @throws AdapterError where the choice cannot be met, with what to install.
 */
export async function adapterEnvironment(choice: AdapterChoice): Promise<Record<string, string> | null> {
  if (choice === 'swiftshader') return swiftShaderEnvironment();
  if (choice === 'lavapipe') return lavapipeEnvironment();
  const inUse = instance !== undefined;
  const adapter = await findAdapter();
  // An instance that somebody's device hangs on must stay: collected, it takes the process with it.
  if (!inUse) releaseGpu();
  if (adapter !== null) return null;
  return choice === 'auto' ? swiftShaderEnvironment() : null;
}

function runAgain(environment: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { env: environment, stdio: 'inherit' });
    // The terminal sends Ctrl-C to both; the child decides when it is done. Other signals are passed on.
    const ignore = (): void => undefined;
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on('SIGINT', ignore);
    process.on('SIGTERM', forward);
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}
