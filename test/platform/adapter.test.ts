import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adapterEnvironment, lavapipeDriver, swiftShaderEnvironment } from '../../src/platform/adapter.ts';
import { cacheFolder } from '../../src/platform/node/cache-folder.ts';
import { AdapterError } from '../../src/gpu/errors.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
/** A driver list without a driver: what a machine without any sees. */
const NO_DRIVER = { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' };

/** Runs a module in a process of its own, as the Vulkan loader reads its variables once. */
function runModule(body: string, environment: Readonly<Record<string, string>>): SpawnSyncReturns<string> {
  const source = `import * as adapter from ${JSON.stringify(path.join(project, 'src/platform/adapter.ts'))};\n${body}`;
  return runNode(['--input-type=module', '--eval', source], environment);
}

/** Runs print-adapter.ts, a file, because `ensureAdapter` runs its process again. */
function printAdapter(environment: Readonly<Record<string, string>>): SpawnSyncReturns<string> {
  return runNode([path.join(project, 'test/platform/print-adapter.ts'), 'auto'], environment);
}

function runNode(parameters: readonly string[], environment: Readonly<Record<string, string>>): SpawnSyncReturns<string> {
  const env = { ...process.env, SKETCHGRAD_ADAPTER_READY: undefined, VK_DRIVER_FILES: undefined, VK_ICD_FILENAMES: undefined, ...environment };
  return spawnSync(process.execPath, ['--import', 'tsx', ...parameters], { cwd: project, env, encoding: 'utf8' });
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
    const { library_path: library } = (JSON.parse(readFileSync(driver, 'utf8')) as { ICD: { library_path: string } }).ICD;
    assert.ok(statSync(path.resolve(path.dirname(driver), library)).size > 1e6, 'the driver\'s library');
    assert.ok(environment.LD_LIBRARY_PATH.split(path.delimiter).includes(path.dirname(driver)));

    const written = statSync(driver).mtimeMs;
    assert.equal(swiftShaderEnvironment(), environment);
    assert.is(statSync(driver).mtimeMs, written, 'unpacked a second time');
    assert.is(readdirSync(cacheFolder()).length, 1, 'no temporary folder is left');
  });
});

test('a process under SwiftShader\'s variables computes on SwiftShader', () => {
  const { status, stdout, stderr } = runModule(printDevice, swiftShaderEnvironment());
  assert.is(status, 0, stderr);
  assert.match(stdout, /swiftshader/i);
});

test('a machine without any driver gets SwiftShader by itself, in a second run of the process', () => {
  const { status, stdout, stderr } = printAdapter(NO_DRIVER);
  assert.is(status, 0, stderr);
  assert.match(stdout, /swiftshader/i);
  assert.match(stdout, 'runs: 2');
});

test('a driver that is there already goes before SwiftShader: no second run', () => {
  const installed = lavapipeDriver();
  const drivers = installed === null ? swiftShaderEnvironment() : { VK_DRIVER_FILES: installed };
  const { status, stdout, stderr } = printAdapter(drivers);
  assert.is(status, 0, stderr);
  assert.match(stdout, installed === null ? /swiftshader/i : /llvmpipe/i);
  assert.match(stdout, 'runs: 1');
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
  if (process.platform === 'linux') assert.match(stdout, /mesa-vulkan-drivers.*npm install --include=dev @sparticuz\/chromium/s);
});

test('--adapter gpu refuses a software adapter by its name', () => {
  const { stdout } = runModule(
    `await adapter.openDevice('gpu').then(() => console.log('opened'), (error) => console.log(error.name, error.message)); adapter.releaseGpu();`,
    swiftShaderEnvironment(),
  );
  assert.match(stdout, /^AdapterError --adapter gpu was asked for, but the only adapter is .*SwiftShader/);
});

test.run();
