/** A Chromium without a window, for tests and benchmarks: which program, and with which flags WebGPU works in it. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { AdapterError } from '../../gpu/errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { unpackTar } from './tar.ts';

/** Where systems install it. */
const INSTALLED = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
// The watchdog ends a GPU process that does not answer for seconds, which SwiftShader's compiler on a busy machine may
// not.
const QUIET = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
  '--disable-gpu-watchdog',
];
/**
 * Without a graphics card Chromium begins to draw its windows by GPU all the same, finds out that it cannot, and falls
 * back to software. In that moment it closes every page's channel to the GPU process
 * (`RenderThreadImpl::CompositingModeFallbackToSoftware`), and with it the devices that pages have opened already: `A
 * valid external Instance reference no longer exists`. A browser that never begins so has no such moment.
 */
const DRAWS_IN_SOFTWARE = '--disable-gpu-compositing';
const ON_SWIFTSHADER = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', DRAWS_IN_SOFTWARE];
/** On Linux, Chromium offers WebGPU on a graphics card only where its Vulkan is switched on. */
const ON_GPU = ['--enable-unsafe-webgpu', '--ignore-gpu-blocklist', '--enable-features=Vulkan', '--use-angle=vulkan'];
/**
 * Zeros in workgroup memory by a loop, as in Node (adapter.ts): left to Vulkan's extension, SwiftShader compiles four
 * times as long over the kernels' cases.
 */
const ZEROS_BY_LOOP = '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension';

export interface ChromiumOptions {
  /** What WebGPU computes on; `none` starts a browser that has no adapter. Default: swiftshader. */
  readonly adapter?: 'swiftshader' | 'gpu' | 'none';
  /** Compiles shaders in its own way, slower on SwiftShader: for measurements of what visitors have. */
  readonly asShipped?: boolean;
  /** The program; by default the one of npm's @sparticuz/chromium, or an installed one. */
  readonly program?: string;
}

/** What playwright's `launch` takes. */
export interface ChromiumLaunch {
  readonly executablePath: string;
  readonly args: string[];
  readonly headless: boolean;
  readonly env: Record<string, string>;
}

/** @throws AdapterError where there is no browser, with what to install */
export function chromiumLaunch({
  adapter = 'swiftshader',
  asShipped = false,
  program,
}: ChromiumOptions = {}): ChromiumLaunch {
  const found = program === undefined ? findChromium() : { program, libraries: {} };
  const webgpu = {
    swiftshader: [...ON_SWIFTSHADER, ...(asShipped ? [] : [ZEROS_BY_LOOP])],
    gpu: ON_GPU,
    none: ['--disable-gpu', '--disable-features=WebGPU,WebGPUService'],
  }[adapter];
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  return {
    executablePath: found.program,
    args: [...QUIET, ...webgpu],
    headless: true,
    env: { ...environment, ...found.libraries },
  };
}

/** Unpacks npm's browser into the cache folder, once. Its libraries are those of the system where it has them. */
function findChromium(): { readonly program: string; readonly libraries: Record<string, string> } {
  const bin = packagedChromium();
  if (bin === undefined) {
    const program = INSTALLED.find((file) => existsSync(file));
    if (program !== undefined) return { program, libraries: {} };
    throw new AdapterError(
      `there is no Chromium, neither npm's @sparticuz/chromium nor ${INSTALLED.join(', ')}: npm install --include=dev @sparticuz/chromium`,
    );
  }
  const { version } = JSON.parse(readFileSync(path.join(bin, '../package.json'), 'utf8')) as { version: string };
  const folder = path.join(cacheFolder(), `chromium-${version}`);
  const program = path.join(folder, 'chromium');
  if (!existsSync(program)) {
    const unpacking = `${folder}.${process.pid}`;
    mkdirSync(unpacking, { recursive: true });
    const read = (name: string): Buffer => brotliDecompressSync(readFileSync(path.join(bin, name)));
    for (const name of ['swiftshader', 'al2023', 'fonts']) unpackTar(read(`${name}.tar.br`), unpacking);
    writeFileSync(path.join(unpacking, 'chromium'), read('chromium.br'));
    chmodSync(path.join(unpacking, 'chromium'), 0o755);
    try {
      renameSync(unpacking, folder);
    } catch (error) {
      // Another process was first; its copy is as good.
      rmSync(unpacking, { recursive: true, force: true });
      if (!existsSync(program)) throw error;
    }
  }
  const missing = execFileSync('ldd', [program], { encoding: 'utf8' }).includes('not found');
  return { program, libraries: missing ? { LD_LIBRARY_PATH: path.join(folder, 'lib') } : {} };
}

/** The folder of npm's compressed browser, where it is installed. */
function packagedChromium(): string | undefined {
  try {
    const bin = path.join(path.dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '../../bin');
    return existsSync(path.join(bin, 'chromium.br')) ? bin : undefined;
  } catch {
    return undefined;
  }
}
