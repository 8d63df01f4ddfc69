import { fork, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adapterEnvironment, lavapipeDriver, swiftShaderEnvironment } from '../../src/platform/adapter.ts';
import { eraseNativeWarnings, quietly } from '../../src/platform/node/native-warnings.ts';
import { cacheFolder } from '../../src/platform/node/cache-folder.ts';
import { AdapterError } from '../../src/gpu/errors.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
/** A driver list without a driver: what a machine without any sees. */
const NO_DRIVER = { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' };

/** Runs a module in a process of its own, since a process keeps the drivers that it has seen. */
function runModule(body: string, environment: Readonly<Record<string, string | undefined>>): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', `${IMPORT}\n${body}`], {
    cwd: project,
    env: childEnvironment(environment),
    encoding: 'utf8',
  });
}

const IMPORT = `import * as adapter from ${JSON.stringify(pathToFileURL(path.join(project, 'src/platform/adapter.ts')).href)};`;

/** Without what scripts/test.ts selected for this process. */
function childEnvironment(environment: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return {
    ...process.env,
    VK_DRIVER_FILES: undefined,
    VK_ICD_FILENAMES: undefined,
    LD_LIBRARY_PATH: undefined,
    ...environment,
  };
}

const printDevice = `
  const device = await adapter.openDevice();
  console.log(Object.values(device.description).join(' '));
  device.dispose();
  adapter.releaseGpu();
`;

function withCache(use: (folder: string) => void): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'sketchgrad-cache-'));
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = folder;
  try {
    use(folder);
  } finally {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
    rmSync(folder, { recursive: true });
  }
}

test('SwiftShader is unpacked into the cache once, whole, and found there from then on', () => {
  withCache((cache) => {
    assert.is(cacheFolder(), path.join(cache, 'sketchgrad'));
    const environment = swiftShaderEnvironment();
    const driver = environment.VK_DRIVER_FILES;
    assert.ok(driver.startsWith(cacheFolder()));
    const { library_path: library } = (JSON.parse(readFileSync(driver, 'utf8')) as { ICD: { library_path: string } })
      .ICD;
    assert.ok(statSync(path.resolve(path.dirname(driver), library)).size > 1e6, "the driver's library");
    assert.ok(environment.LD_LIBRARY_PATH.split(path.delimiter).includes(path.dirname(driver)));

    const written = statSync(driver).mtimeMs;
    assert.equal(swiftShaderEnvironment(), environment);
    assert.is(statSync(driver).mtimeMs, written, 'unpacked a second time');
    assert.is(readdirSync(cacheFolder()).length, 1, 'no temporary folder is left');
  });
});

test("a process under SwiftShader's variables computes on SwiftShader", () => {
  const { status, stdout, stderr } = runModule(printDevice, swiftShaderEnvironment());
  assert.is(status, 0, stderr);
  assert.match(stdout, /swiftshader/i);
});

const ensureAndPrint = `await adapter.ensureAdapter();${printDevice}`;

test('a machine without any driver gets SwiftShader by itself, in the same process', () => {
  const { status, stdout, stderr } = runModule(
    `const before = process.pid; ${ensureAndPrint} console.log(before === process.pid);`,
    NO_DRIVER,
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, /swiftshader.*\ntrue\n$/is);
});

test('a driver that is there already goes before SwiftShader', () => {
  const installed = lavapipeDriver();
  const { status, stdout, stderr } = runModule(
    ensureAndPrint,
    installed === null ? swiftShaderEnvironment() : { VK_DRIVER_FILES: installed },
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, installed === null ? /swiftshader/i : /llvmpipe/i);
});

test('a forked program keeps its channel', async () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'sketchgrad-fork-')), 'child.mjs');
  writeFileSync(
    file,
    `${IMPORT}\nawait adapter.ensureAdapter(); const device = await adapter.openDevice(); process.send(device.description.device); device.dispose(); adapter.releaseGpu(); process.disconnect();`,
  );
  const child = fork(file, { env: childEnvironment(NO_DRIVER), execArgv: ['--import', import.meta.resolve('tsx')] });
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.is(code, 0);
  assert.is(messages.length, 1);
  assert.match(String(messages[0]), /swiftshader/i);
});

test('a program on standard input runs', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module'], {
    cwd: project,
    env: childEnvironment(NO_DRIVER),
    encoding: 'utf8',
    input: `${IMPORT}\n${ensureAndPrint}`,
  });
  assert.is(status, 0, stderr);
  assert.match(stdout, /swiftshader/i);
});

/** The platform module as one file, which a worker can load without a loader for TypeScript. */
async function bundled(format: 'esm' | 'cjs'): Promise<{ readonly folder: string; readonly file: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sketchgrad-bundle-'));
  symlinkSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'));
  const file = path.join(folder, format === 'esm' ? 'adapter.mjs' : 'adapter.cjs');
  await build({
    entryPoints: [path.join(project, 'src/platform/node/index.ts')],
    bundle: true,
    platform: 'node',
    format,
    target: 'node20',
    external: ['webgpu', 'sharp'],
    outfile: file,
    logLevel: 'silent',
  });
  return { folder, file };
}

/** Runs a program by its file. */
function runFile(folder: string, name: string, source: string): SpawnSyncReturns<string> {
  writeFileSync(path.join(folder, name), source);
  return spawnSync(process.execPath, [path.join(folder, name)], {
    env: childEnvironment(NO_DRIVER),
    encoding: 'utf8',
    timeout: 60_000,
  });
}

test('a worker thread takes what the main thread selected; by itself it gets an error that says what to do', async () => {
  const { folder } = await bundled('esm');
  writeFileSync(
    path.join(folder, 'worker.mjs'),
    `
    import { parentPort } from 'node:worker_threads';
    import * as adapter from './adapter.mjs';
    try {
      await adapter.ensureAdapter('swiftshader');
      const device = await adapter.openDevice();
      parentPort.postMessage(device.description.device);
      device.dispose();
      adapter.releaseGpu();
    } catch (error) {
      parentPort.postMessage(error.name + ': ' + error.message);
    }`,
  );
  const inWorker = (name: string, options: string, before = ''): string => {
    const { status, stdout, stderr } = runFile(
      folder,
      name,
      `
      import { SHARE_ENV, Worker } from 'node:worker_threads';
      import * as adapter from './adapter.mjs';
      ${before}
      new Worker(new URL('./worker.mjs', import.meta.url), ${options}).on('message', (message) => console.log(message));`,
    );
    assert.is(status, 0, stderr);
    return stdout;
  };
  assert.match(
    inWorker('alone.mjs', '{}'),
    /^AdapterError: a worker thread cannot select a driver: .*Call ensureAdapter\(\) in the main thread.*SHARE_ENV.*VK_DRIVER_FILES=.*vk_swiftshader_icd\.json/,
  );
  assert.match(inWorker('shared.mjs', '{ env: SHARE_ENV }'), /^swiftshader/i);
  assert.match(inWorker('after.mjs', '{}', `await adapter.ensureAdapter('swiftshader');`), /^swiftshader/i);
  rmSync(folder, { recursive: true });
});

test('a bundle finds SwiftShader, as a module and as CommonJS', async () => {
  for (const format of ['esm', 'cjs'] as const) {
    const { folder, file } = await bundled(format);
    const load =
      format === 'esm'
        ? `import * as adapter from './${path.basename(file)}';`
        : `const adapter = require('./${path.basename(file)}');`;
    // Its end was a matter of luck once: Dawn's instance went while Dawn was telling of the device's loss.
    for (let time = 0; time < 3; time++) {
      const { status, signal, stdout, stderr } = runFile(
        folder,
        format === 'esm' ? 'main.mjs' : 'main.cjs',
        `${load} (async () => { ${ensureAndPrint} })();`,
      );
      assert.match(stdout, /swiftshader/i, `${format}: ${stderr}`);
      assert.equal([status, signal], [0, null], format);
    }
    rmSync(folder, { recursive: true });
  }
});

test('a machine without a Vulkan loader, a user without a home: SwiftShader all the same', () => {
  const { status, stdout, stderr } = runModule(
    `
    const { cacheFolder } = await import(${JSON.stringify(path.join(project, 'src/platform/node/cache-folder.ts'))});
    console.log(cacheFolder());
    ${ensureAndPrint}`,
    { ...NO_DRIVER, HOME: '/nonexistent', XDG_CACHE_HOME: undefined },
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, /swiftshader/i);
});

test("the cache of a user who cannot write the wanted one is a folder of the user's own below the temporary one", () => {
  withCache((folder) => {
    writeFileSync(path.join(folder, 'file'), '');
    const before = process.env.XDG_CACHE_HOME;
    process.env.XDG_CACHE_HOME = path.join(folder, 'file', 'cache');
    try {
      const substitute = cacheFolder();
      assert.ok(substitute.startsWith(tmpdir()) && !substitute.startsWith(folder), substitute);
      assert.is(statSync(substitute).mode & 0o022, 0, 'others could write there what this user then loads');
      assert.is(cacheFolder(), substitute);
    } finally {
      process.env.XDG_CACHE_HOME = before;
    }
  });
});

test('native warnings are erased from a terminal, and a log keeps them', () => {
  const written: string[] = [];
  const terminal = { isTTY: true, columns: 80, write: (text: string) => written.push(text) };
  eraseNativeWarnings(terminal);
  try {
    assert.is(
      quietly(() => written.push('warnings')),
      2,
    );
    assert.equal(written, [`${'\n'.repeat(8)}\x1b[8A\x1b7`, 'warnings', '\x1b8\x1b[J']);
    // A terminal of a container may have no size.
    eraseNativeWarnings({ ...terminal, columns: 0 });
    quietly(() => undefined);
    assert.is(written[3], written[0]);
    written.length = 0;
    eraseNativeWarnings({ ...terminal, isTTY: false });
    quietly(() => undefined);
    assert.equal(written, []);
  } finally {
    eraseNativeWarnings({ write: () => undefined });
  }
});

test('each choice gives its variables, and lavapipe says how to install it where it is not', async () => {
  assert.match((await adapterEnvironment('swiftshader'))?.VK_DRIVER_FILES ?? '', 'vk_swiftshader_icd.json');
  const driver = lavapipeDriver();
  const [outcome] = await Promise.allSettled([adapterEnvironment('lavapipe')]);
  if (driver !== null) assert.equal(outcome, { status: 'fulfilled', value: { VK_DRIVER_FILES: driver } });
  else if (outcome.status === 'fulfilled') assert.unreachable('there is no lavapipe');
  else assert.match(String(outcome.reason), /lavapipe is not installed.*apt-get install/s);
});

test('without any adapter the error names the packages to install', () => {
  const { status, stdout } = runModule(
    `await adapter.openDevice().then(() => console.log('opened'), (error) => console.log(error.name, error.message)); adapter.releaseGpu();`,
    NO_DRIVER,
  );
  assert.is(status, 0);
  assert.match(stdout, new RegExp(`^${AdapterError.name} no WebGPU adapter was found`));
  if (process.platform === 'linux')
    assert.match(stdout, /mesa-vulkan-drivers.*npm install --include=dev @sparticuz\/chromium/s);
  assert.match(stdout, /ensureAdapter\('swiftshader'\).*VK_DRIVER_FILES.*LD_LIBRARY_PATH/s);
});

test('openDevice is safe by default: an index out of range is clamped', () => {
  const { stdout, stderr } = runModule(
    `const device = await adapter.openDevice();
    const { gpu } = device;
    const code = '@group(0) @binding(0) var<storage, read_write> data: array<u32>; @compute @workgroup_size(1) fn main() { data[0] = data[data[1]]; }';
    const buffer = gpu.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    const result = gpu.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    gpu.queue.writeBuffer(buffer, 0, Uint32Array.of(1, 1 << 28, 3, 7));
    const pipeline = gpu.createComputePipeline({ layout: 'auto', compute: { module: gpu.createShaderModule({ code }) } });
    const encoder = gpu.createCommandEncoder(), pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, result, 0, 16);
    gpu.queue.submit([encoder.finish()]);
    await result.mapAsync(GPUMapMode.READ);
    console.log(new Uint32Array(result.getMappedRange())[0]);
    device.dispose();
    adapter.releaseGpu();`,
    swiftShaderEnvironment(),
  );
  assert.is(stdout, '7\n', stderr);
});

test('--adapter gpu refuses a software adapter by its name', () => {
  const { stdout } = runModule(
    `await adapter.openDevice('gpu').then(() => console.log('opened'), (error) => console.log(error.name, error.message)); adapter.releaseGpu();`,
    swiftShaderEnvironment(),
  );
  assert.match(stdout, /^AdapterError --adapter gpu was requested, but the only adapter is .*SwiftShader/);
});

test.run();
