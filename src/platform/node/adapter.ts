import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { create, globals } from 'webgpu';
import { Device, isSoftware } from '../../gpu/device.ts';
import { AdapterError } from '../../gpu/errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { napUntil } from './napping.ts';
import { unpackTar } from './tar.ts';

/** `auto` takes a hardware GPU, else any installed software driver, else SwiftShader out of @sparticuz/chromium. */
export const ADAPTER_CHOICES = ['auto', 'gpu', 'lavapipe', 'swiftshader'] as const;
export type AdapterChoice = (typeof ADAPTER_CHOICES)[number];

/** Set in a process that was started again for its adapter, so that it never starts a third one. */
const RESPAWNED = 'SKETCHGRAD_ADAPTER_READY';

const DRIVER_FOLDERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

/**
 * Dawn clamps every index in a shader, which browsers cannot do without. Our kernels check their own, so natively the
 * clamps are left out: SwiftShader's convolutions run 1.4 times faster (docs/rejected.md has what did not help it).
 */
const UNCLAMPED = 'enable-dawn-features=disable_robustness';

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
    instance = create(process.env.SKETCHGRAD_ROBUST === undefined ? [UNCLAMPED, ZEROS_BY_LOOP] : [ZEROS_BY_LOOP]);
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
  if (choice === 'lavapipe') {
    const driver = lavapipeDriver();
    if (driver === null) throw new AdapterError('lavapipe is not installed: no lvp_icd*.json in ' + DRIVER_FOLDERS.join(', ') + '. ' + LAVAPIPE_HINT);
    return { VK_DRIVER_FILES: driver };
  }
  const inUse = instance !== undefined;
  const adapter = await findAdapter();
  // An instance that somebody's device hangs on must stay: collected, it takes the process with it.
  if (!inUse) releaseGpu();
  if (adapter !== null) return null;
  return choice === 'auto' ? swiftShaderEnvironment() : null;
}

/** The driver file of an installed lavapipe, or null. */
export function lavapipeDriver(): string | null {
  for (const folder of DRIVER_FOLDERS) {
    if (!existsSync(folder)) continue;
    const name = readdirSync(folder).find((file) => /^lvp_icd.*\.json$/.test(file));
    if (name !== undefined) return path.join(folder, name);
  }
  return null;
}

/** Unpacks SwiftShader from @sparticuz/chromium into the cache folder, once, and gives the variables that select it. */
export function swiftShaderEnvironment(): Record<string, string> {
  const require = createRequire(import.meta.url);
  let archive: string;
  let version: string;
  try {
    // The package exports no path below its root, so its folder is found from its entry.
    const root = packageRoot(require.resolve('@sparticuz/chromium'), '@sparticuz/chromium');
    archive = path.join(root, 'bin', 'swiftshader.tar.br');
    version = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }).version;
  } catch (cause) {
    throw new AdapterError(noAdapterMessage(), { cause });
  }
  const folder = path.join(cacheFolder(), `swiftshader-${version}`);
  const driver = path.join(folder, 'vk_swiftshader_icd.json');
  if (!existsSync(driver)) {
    const unpacking = `${folder}.${process.pid}`;
    mkdirSync(unpacking, { recursive: true });
    unpackTar(brotliDecompressSync(readFileSync(archive)), unpacking);
    try {
      renameSync(unpacking, folder);
    } catch (error) {
      // Another process was first; its copy is as good.
      rmSync(unpacking, { recursive: true, force: true });
      if (!existsSync(driver)) throw error;
    }
  }
  const libraries = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(path.delimiter);
  return { LD_LIBRARY_PATH: libraries, VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver };
}

function packageRoot(entry: string, name: string): string {
  const marker = path.join('node_modules', ...name.split('/'));
  return entry.slice(0, entry.lastIndexOf(marker) + marker.length);
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

const LAVAPIPE_HINT = 'On Debian 12: add bookworm-backports and `apt-get install -t bookworm-backports mesa-vulkan-drivers`; Ubuntu 24.04 or newer: `apt-get install mesa-vulkan-drivers`; Fedora: `dnf install mesa-vulkan-drivers`.';

function noAdapterMessage(): string {
  const bySystem: Record<string, string> = {
    linux: `Install your GPU's Vulkan driver (NVIDIA: the proprietary driver; AMD and Intel: mesa-vulkan-drivers), or a software driver. ${LAVAPIPE_HINT} Or let npm bring SwiftShader: \`npm install --include=dev @sparticuz/chromium\`.`,
    darwin: 'Metal is part of macOS; this machine offers no Metal device (a virtual machine without one?).',
    win32: 'Install your GPU\'s current driver (Direct3D 12).',
  };
  return `no WebGPU adapter was found. ${bySystem[process.platform] ?? 'Install a Vulkan driver.'}`;
}
