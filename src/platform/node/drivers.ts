/** Which drivers there are on this machine, and the variables of the environment that select one. */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { AdapterError } from '../../gpu/errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { unpackTar } from './tar.ts';

/** `auto` takes a hardware GPU, else any installed software driver, else SwiftShader out of @sparticuz/chromium. */
export const ADAPTER_CHOICES = ['auto', 'gpu', 'lavapipe', 'swiftshader'] as const;
/** What computes; see `ADAPTER_CHOICES`. */
export type AdapterChoice = (typeof ADAPTER_CHOICES)[number];

/** How `openDevice` opens a device in Node. Deno and browsers are always safe. */
export interface DeviceAccess {
  /**
   * Leaves out the checks of indices that Dawn adds to every shader, and enables experimental features (matrix units).
   * Kernels run faster (docs/performance.md), and a fault in one can read or write memory of others. Default: false.
   * The environment variable SKETCHGRAD_ROBUST overrules it.
   */
  readonly unsafe?: boolean;
  /**
   * Further toggles of Dawn that are switched on, such as dump_shaders
   * (https://dawn.googlesource.com/dawn/+/refs/heads/main/src/dawn/native/Toggles.cpp). Deno and browsers have none.
   */
  readonly dawnFeatures?: readonly string[];
}

const DRIVER_FOLDERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

/** The driver file of an installed lavapipe, or null. */
export function lavapipeDriver(): string | null {
  for (const folder of DRIVER_FOLDERS) {
    if (!existsSync(folder)) continue;
    const name = readdirSync(folder).find((file) => /^lvp_icd.*\.json$/.test(file));
    if (name !== undefined) return path.join(folder, name);
  }
  return null;
}

/** The variables that select lavapipe. @throws AdapterError where it is not installed */
export function lavapipeEnvironment(): Record<string, string> {
  const driver = lavapipeDriver();
  if (driver === null)
    throw new AdapterError(
      'lavapipe is not installed: no lvp_icd*.json in ' + DRIVER_FOLDERS.join(', ') + '. ' + LAVAPIPE_HINT,
    );
  return { VK_DRIVER_FILES: driver };
}

/** Unpacks SwiftShader from @sparticuz/chromium into the cache folder, once, and gives the variables that select it. */
export function swiftShaderEnvironment(): Record<string, string> {
  const root = packageRoot('@sparticuz/chromium');
  if (root === null) throw new AdapterError(noAdapterMessage());
  const archive = path.join(root, 'bin', 'swiftshader.tar.br');
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
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
  const libraries = (process.env.LD_LIBRARY_PATH ?? '')
    .split(path.delimiter)
    .filter((name) => name !== '' && name !== folder);
  return {
    LD_LIBRARY_PATH: [folder, ...libraries].join(path.delimiter),
    VK_DRIVER_FILES: driver,
    VK_ICD_FILENAMES: driver,
  };
}

/**
 * The folder of an installed package, or null. It is looked for from this module; a bundle has no module of ours (and
 * as CommonJS no `import.meta.url`), so then from the program and from the working directory.
 */
function packageRoot(name: string): string | null {
  const origins = [import.meta.url as string | undefined, process.argv[1], path.join(process.cwd(), 'index.js')];
  for (const origin of origins) {
    if (origin === undefined || !(origin.startsWith('file:') || path.isAbsolute(origin))) continue;
    try {
      // The package exports no path below its root, so its folder is found from its entry.
      const entry = createRequire(origin).resolve(name);
      const marker = path.join('node_modules', ...name.split('/'));
      return entry.slice(0, entry.lastIndexOf(marker) + marker.length);
    } catch {
      // Not from here.
    }
  }
  return null;
}

const LAVAPIPE_HINT =
  'On Debian 12: add bookworm-backports and `apt-get install -t bookworm-backports mesa-vulkan-drivers`; Ubuntu 24.04 or newer: `apt-get install mesa-vulkan-drivers`; Fedora: `dnf install mesa-vulkan-drivers`.';

/** How a program that uses the library selects a software driver. */
export const SELECT_IN_PROGRAM =
  "In a program, `await ensureAdapter('swiftshader')` before openDevice() selects it; or start the process with two variables: VK_DRIVER_FILES, the driver's .json file, and LD_LIBRARY_PATH, the folder of its libvulkan.so.1 (adapterEnvironment('swiftshader') returns both).";

/** What to say where there is no adapter at all, with the driver to install. */
export function noAdapterMessage(): string {
  const bySystem: Record<string, string> = {
    linux: `Install your GPU's Vulkan driver (NVIDIA: the proprietary driver; AMD and Intel: mesa-vulkan-drivers), or a software driver. ${LAVAPIPE_HINT} Or let npm bring SwiftShader: \`npm install --include=dev @sparticuz/chromium\`.`,
    darwin: 'Metal is part of macOS; this machine offers no Metal device (a virtual machine without one?).',
    win32: "Install your GPU's current driver (Direct3D 12).",
  };
  return `no WebGPU adapter was found. ${bySystem[process.platform] ?? 'Install a Vulkan driver.'}`;
}
