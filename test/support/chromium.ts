// The browser of the tests: Chromium out of npm's @sparticuz/chromium, with WebGPU on SwiftShader.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { chromium, type Browser, type BrowserContext, type LaunchOptions } from 'playwright-core';
import { unpackTar } from '../../src/platform/node/tar.ts';
import { cacheFolder } from '../../src/platform/node/cache-folder.ts';

/** Debian's, where it is installed. */
const INSTALLED = '/usr/bin/chromium';
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
const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', DRAWS_IN_SOFTWARE];
/**
 * Zeros in workgroup memory by a loop, as in Node (src/platform/node/adapter.ts): left to Vulkan's extension,
 * SwiftShader compiles four times as long over the kernels' cases.
 */
const ZEROS_BY_LOOP = '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension';

/**
 * Starts a browser without a window.
 * @param options `webgpu: false` starts one that has no adapter; `asShipped` one with its own way of compiling, slower
 * here, for measurements
 * @throws where there is no browser: what it was to show stays unshown
 */
export async function launchChromium(options: ChromiumOptions = {}): Promise<Browser> {
  return chromium.launch(launchOptions(options));
}

/** Starts one with a profile that is kept in a folder, as visitors have it: with a cache on the disk. */
export async function launchProfile(folder: string, options: ChromiumOptions = {}): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, { ...launchOptions(options), locale: 'en-US' });
}

export interface ChromiumOptions {
  readonly webgpu?: boolean;
  readonly asShipped?: boolean;
}

function launchOptions({ webgpu = true, asShipped = false }: ChromiumOptions): LaunchOptions {
  const { program, libraries } = unpackedChromium();
  const args = [
    ...QUIET,
    ...(webgpu
      ? [...WEBGPU, ...(asShipped ? [] : [ZEROS_BY_LOOP])]
      : ['--disable-gpu', '--disable-features=WebGPU,WebGPUService']),
  ];
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  return { executablePath: program, args, headless: true, env: { ...environment, ...libraries } };
}

/** Unpacks the browser into the cache folder, once. Its libraries are those of the system where it has them. */
function unpackedChromium(): { readonly program: string; readonly libraries: Record<string, string> } {
  const require = createRequire(import.meta.url);
  const bin = path.join(path.dirname(require.resolve('@sparticuz/chromium')), '../../bin');
  if (!existsSync(path.join(bin, 'chromium.br'))) {
    if (existsSync(INSTALLED)) return { program: INSTALLED, libraries: {} };
    throw new Error(
      `there is no Chromium to test with, neither ${path.join(bin, 'chromium.br')} nor ${INSTALLED}: npm ci brings it`,
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
