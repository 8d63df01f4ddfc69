// What npm would publish: packed, unpacked into a project of its own, and used there.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { build as buildPage } from 'vite';
import { bundle, describeBundle, largestModules, PAGES } from '../../scripts/page-bundles.ts';
import { adapterEnvironment } from '../../src/platform/adapter.ts';
import { decodeImage } from '../../src/platform/node/images.ts';
import { launchChromium } from '../support/chromium.ts';
import { openPage, serve } from '../support/web-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);
const DECODER_PAGE = '<!doctype html><script type="importmap">{ "imports": { "sketchgrad/browser": "./node_modules/sketchgrad/dist/src/platform/browser/index.js" } }</script>';

/** Waves and an edge, in colours that need not be opaque. */
function testPicture(width: number, height: number, alpha: boolean): Sharp {
  const data = Buffer.alloc(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const edge = 3 * x > width + y ? 90 : 0;
      data.set([130 + 120 * Math.sin(x / 5), 130 + 120 * Math.sin((x + 2 * y) / 11), (x * y + edge) % 256, alpha ? (7 * x + 3 * y) % 256 : 255], 4 * (y * width + x));
    }
  }
  return sharp(data, { raw: { width, height, channels: 4 } });
}

let folder: string;
let archive: string;
const at = (...names: string[]): string => path.join(folder, ...names);

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-package-'));
  const { stdout } = await execute('npm', ['pack', '--json', '--silent', '--pack-destination', folder], { cwd: root });
  archive = at((JSON.parse(stdout.slice(stdout.indexOf('['))) as { filename: string }[])[0].filename);
  await mkdir(at('node_modules'));
  await execute('tar', ['-xzf', archive, '-C', folder]);
  await rename(at('package'), at('node_modules', 'sketchgrad'));
  const { dependencies } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  // What npm would install along, and what a user of Node adds.
  for (const name of [...Object.keys(dependencies), 'webgpu', '@webgpu', 'sharp', 'resolve-protobuf-schema']) await symlink(path.join(root, 'node_modules', name), at('node_modules', name));
  await writeFile(at('package.json'), '{ "type": "module" }');
});
test.after(() => rm(folder, { recursive: true }));

test('publint and arethetypeswrong find nothing', async () => {
  const bin = (name: string): string => path.join(root, 'node_modules', '.bin', name);
  assert.match((await execute(bin('publint'), [archive, '--strict'])).stdout, /All good/);
  // It ends with an error where it finds something.
  await execute(bin('attw'), [archive, '--profile', 'esm-only']);
});

test('the API reference leaves out no type that it names', async () => {
  // A warning is an error, see typedoc.json.
  await execute(process.execPath, [path.join(root, 'node_modules/typedoc/bin/typedoc'), '--emit', 'none'], { cwd: root }).catch(({ stdout, stderr }: { stdout: string; stderr: string }) => assert.unreachable(`${stdout}${stderr}`));
});

test('its types hold, for bundlers and for Node', async () => {
  await writeFile(at('use.ts'), [
    "import { Device, Program, Storage } from 'sketchgrad/engine';",
    "import { RetrievalNetwork } from 'sketchgrad/nn';",
    "import { modelEmbeddings, type RetrievalModel } from 'sketchgrad/retrieval';",
    "import { trainRetrieval } from 'sketchgrad/training';",
    "import { openDevice } from 'sketchgrad/platform';",
    "import * as everything from 'sketchgrad';",
    'export const use = (gpu: GPUDevice): Device => new everything.Device(gpu);',
    'export const rows = (model: RetrievalModel): Promise<unknown> => modelEmbeddings(model, 1);',
    'export const open: () => Promise<Device> = () => openDevice();',
    'export { Program, Storage, RetrievalNetwork, trainRetrieval };',
  ].join('\n'));
  // TypeScript's own DOM has WebGPU's types since version 6. Without it, as with all older versions, the names must still be there.
  for (const [module, moduleResolution, lib] of [['esnext', 'bundler', 'es2023,dom'], ['nodenext', 'nodenext', 'es2023,dom'], ['esnext', 'bundler', 'es2023'], ['nodenext', 'nodenext', 'es2023']]) {
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--lib', lib, '--module', module, '--moduleResolution', moduleResolution];
    await execute(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), ...options, 'use.ts'], { cwd: folder }).catch(({ stdout }: { stdout: string }) => assert.unreachable(`${moduleResolution}: ${stdout}`));
  }
});

for (const page of PAGES) {
  test(`a page bundles ${page.title}, with nothing of Node in it`, async () => {
    const made = await bundle(page, folder);
    console.log(describeBundle(page, made));
    assert.ok(made.gzippedBytes < (page.limit ?? Infinity), `${describeBundle(page, made)}\n${largestModules(made, 20)}`);
    assert.is(/_gradient\w*\.wgsl/.test(made.code), page.differentiates);
  });
}

test('Vite takes it as it is, in a worker too', async () => {
  await writeFile(at('index.html'), '<script type="module" src="./main.js"></script>');
  await writeFile(at('main.js'), 'new Worker(new URL("./worker.js", import.meta.url), { type: "module" });');
  await writeFile(at('worker.js'), "import { openDevice } from 'sketchgrad/platform'; import { trainRetrieval } from 'sketchgrad'; console.log(openDevice, trainRetrieval);");
  await buildPage({ root: folder, configFile: false, logLevel: 'error', worker: { format: 'es' } });
});

test('the page of docs/page.md, twenty lines without a bundler, works as printed', async () => {
  const printed = /```html\n(.*?)\n```/s.exec(await readFile(path.join(root, 'docs/page.md'), 'utf8'))?.[1] ?? '';
  assert.ok(printed !== '' && printed.split('\n').length <= 20, `${printed.split('\n').length} lines`);
  const files = new Set<string>();
  await writeFile(at('index.html'), printed);
  const site = await serve(folder);
  const browser = await launchChromium();
  try {
    const { page, errors } = await openPage(browser, 'about:blank');
    page.on('response', (response) => files.add(response.url()));
    await page.goto(site.address);
    await page.waitForFunction(() => document.querySelector('pre')?.textContent?.includes('step 151:'));
    const losses = [...(await page.innerText('pre')).matchAll(/^step \d+: mean squared error (\S+)$/gm)].map(([, loss]) => Number(loss));
    assert.is(losses.length, 4);
    assert.ok(losses[3] < 0.1 * losses[0], `errors ${losses.join(', ')}`);
    console.log(`${files.size} files, errors ${losses.join(', ')}`);
    // The browser asks for an icon of its own accord.
    assert.equal(errors.filter((message) => !message.includes('404')), []);
    // What it painted is what it prints: the squares' colours, up to a few of these errors.
    const apart = await page.evaluate(() => {
      const [left, right] = [...document.querySelectorAll('canvas')].map((canvas) => canvas.getContext('2d')?.getImageData(0, 0, 32, 32).data ?? new Uint8ClampedArray());
      return left.reduce((sum, value, i) => sum + ((value - right[i]) / 255) ** 2, 0) / left.length;
    });
    assert.ok(apart < 2 * losses[3], `the squares of the painted errors have the mean ${apart}`);
  } finally {
    await browser.close();
    await site.close();
  }
});

test('its decoder gives a page the pixels that it gives Node, also of large and see-through pictures', async () => {
  await writeFile(at('index.html'), DECODER_PAGE);
  const site = await serve(folder);
  const browser = await launchChromium({ webgpu: false });
  try {
    const { page } = await openPage(browser, site.address);
    for (const [width, height] of [[32, 32], [96, 96], [600, 600], [1000, 333], [17, 5]]) {
      for (const alpha of [false, true]) {
        const picture = await testPicture(width, height, alpha).png().toBuffer();
        const pixels = await page.evaluate(async (base64) => {
          const { decodeImage } = (await import('sketchgrad/browser' as string)) as { decodeImage(picture: Blob, size: number): Promise<Uint8Array> };
          return [...(await decodeImage(await (await fetch(`data:image/png;base64,${base64}`)).blob(), 32))];
        }, picture.toString('base64'));
        const here = [...(await decodeImage(picture, 32, 'the picture'))];
        const other = here.filter((value, i) => value !== pixels[i]).length;
        assert.is(other, 0, `${width} x ${height}${alpha ? ', see-through' : ''}: ${other} of ${here.length} values differ`);
      }
    }
  } finally {
    await browser.close();
    await site.close();
  }
});

test('in Node it trains; dispose gives everything back, and a new engine can follow', async () => {
  await writeFile(at('train.js'), `
    import { Device, globalAveragePool, initializeNetwork, input, Network, Pass, Program, sgdSettings, softmaxCrossEntropy, Storage, trainingUpdate } from 'sketchgrad';
    import { openDevice, releaseGpu } from 'sketchgrad/node';
    const train = async (device) => {
      const storage = new Storage(device);
      const network = new Network();
      const head = network.linear('head', 16, 4);
      const pass = new Pass(network, 'train');
      const x = pass.convolutionBatchNorm(input('images', [8, 8, 8, 4]), network.convolutionWeight('conv.weight', 3, 4, 16), network.batchNorm('bn', 16), { padding: 1, relu: true });
      const loss = softmaxCrossEntropy(head.apply(globalAveragePool(x)), input('labels', [8], 'u32'));
      const { updates, hyper } = trainingUpdate(network, loss, pass.batchStatistics, sgdSettings(0, 0.9));
      await initializeNetwork(network, storage, 0);
      const program = await Program.compile(storage, { outputs: { loss }, updates });
      const labels = Uint32Array.from({ length: 8 }, (_, i) => i % 4);
      const images = Float32Array.from({ length: 2048 }, (_, i) => Math.sin(i * labels[i >> 8]));
      const losses = [];
      for (let step = 1; step <= 20; step++) losses.push((await program.run({ images, labels, optimizer: hyper(0.1, step) })).loss[0]);
      return losses;
    };
    const first = await openDevice();
    const losses = await train(first);
    first.dispose();
    const second = await openDevice();
    const again = await train(second);
    // A device of somebody else's: it lives on when the engine is done with it.
    const guest = new Device(second.gpu, { vendor: '', architecture: '', device: '', description: 'somebody' });
    await train(guest);
    guest.dispose();
    const after = await train(second);
    second.dispose();
    releaseGpu();
    console.log(JSON.stringify([losses, again, after]));
  `);
  const env = { ...process.env, ...(await adapterEnvironment('swiftshader')) };
  const { stdout } = await execute(process.execPath, ['train.js'], { cwd: folder, env });
  const [losses, again, after] = JSON.parse(stdout) as number[][];
  assert.ok(losses[19] < 0.7 * losses[0], `${losses[0]} to ${losses[19]}`);
  assert.equal(again, losses);
  assert.equal(after, losses);
});

test('the command says what it needs where a project lacks it', async () => {
  const [outcome] = await Promise.allSettled([execute(process.execPath, [at('node_modules', 'sketchgrad', 'bin', 'sketchgrad.mjs'), '--help'], { cwd: folder })]);
  if (outcome.status === 'fulfilled') assert.unreachable('commander is not there');
  else assert.match((outcome.reason as { stderr: string }).stderr, /the command needs the package .*npm install webgpu sharp/);
});

test.run();
