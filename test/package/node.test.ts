// The package in Node.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { adapterEnvironment } from '../../src/platform/adapter.ts';
import { execute, PackageProject, root } from '../support/packed-package.ts';

let project: PackageProject;
/** Without webgpu and sharp. */
let bare: PackageProject;
const at = (...names: string[]): string => project.at(...names);

test.before(async () => {
  project = await PackageProject.make('webgpu', '@webgpu', 'sharp');
  bare = await PackageProject.make();
});
test.after(async () => {
  await project.remove();
  await bare.remove();
});

test('in Node it trains; dispose gives everything back, and a new engine can follow', async () => {
  await writeFile(
    at('train.js'),
    `
    import { Device, globalAveragePool, initializeNetwork, input, Network, ForwardContext, sgdSettings, softmaxCrossEntropy, DeviceStorage, TrainingStep, trainingUpdate } from 'sketchgrad';
    import { openDevice, releaseGpu } from 'sketchgrad/node';
    const train = async (device) => {
      const storage = new DeviceStorage(device);
      const network = new Network();
      const head = network.linear('head', 16, 4);
      const context = new ForwardContext(network, 'train');
      const x = context.convolutionBatchNorm(input('images', [8, 8, 8, 4]), network.convolutionWeight('conv.weight', 3, 4, 16), network.batchNorm('bn', 16), { padding: 1, relu: true });
      const loss = softmaxCrossEntropy(head.apply(globalAveragePool(x)), input('labels', [8], 'u32'));
      const update = trainingUpdate(network, loss, context.batchStatistics, sgdSettings(0, 0.9));
      await initializeNetwork(network, storage, 0);
      const training = await TrainingStep.compile(storage, update, { outputs: { loss } });
      const labels = Uint32Array.from({ length: 8 }, (_, i) => i % 4);
      const images = Float32Array.from({ length: 2048 }, (_, i) => Math.sin(i * labels[i >> 8]));
      const losses = [];
      for (let step = 1; step <= 20; step++) losses.push((await training.run({ images, labels }, 0.1)).loss[0]);
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
  `,
  );
  const env = { ...process.env, ...(await adapterEnvironment('swiftshader')) };
  const { stdout } = await execute(process.execPath, ['train.js'], { cwd: project.folder, env });
  const [losses, again, after] = JSON.parse(stdout) as number[][];
  assert.ok(losses[19] < 0.7 * losses[0], `${losses[0]} to ${losses[19]}`);
  assert.equal(again, losses);
  assert.equal(after, losses);
});

test('every entry is imported without webgpu, sharp or a GPU, as on a server that renders pages', async () => {
  const { exports: entries } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  };
  const names = Object.keys(entries).filter((name) => name !== './package.json');
  assert.ok(names.length > 10);
  await writeFile(
    bare.at('import.js'),
    `
    for (const name of ${JSON.stringify(names)}) await import('sketchgrad' + name.slice(1));
    const { openDevice, decodeImage } = await import('sketchgrad/platform');
    for (const use of [() => openDevice(), () => decodeImage('a.png', 8)]) await use().catch((error) => console.log(error.name + ': ' + error.message));`,
  );
  await writeFile(bare.at('a.png'), 'a picture');
  const { stdout } = await execute(process.execPath, ['import.js'], { cwd: bare.folder });
  assert.match(stdout, /^AdapterError: .*Run `npm install webgpu`/m);
  assert.match(stdout, /^ImageError: a\.png cannot be decoded: .*Run `npm install sharp`/m);
});

test('with webgpu alone, sketchgrad/platform opens a device', async () => {
  const project = await PackageProject.make('webgpu', '@webgpu');
  await writeFile(
    project.at('open.js'),
    `
    import { openDevice, releaseGpu } from 'sketchgrad/platform';
    const device = await openDevice();
    console.log(device.description.device);
    device.dispose();
    releaseGpu();`,
  );
  const { stdout } = await execute(process.execPath, ['open.js'], {
    cwd: project.folder,
    env: { ...process.env, ...(await adapterEnvironment('swiftshader')) },
  });
  assert.match(stdout, /swiftshader/i);
  await project.remove();
});

test('npm runs nothing when the package is installed', async () => {
  const { scripts } = JSON.parse(await readFile(bare.at('node_modules', 'sketchgrad', 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  assert.equal(
    Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare|rebuild)$/.test(name)),
    [],
  );
});

test('the command says what it needs where a project lacks it', async () => {
  const [outcome] = await Promise.allSettled([
    execute(process.execPath, [at('node_modules', 'sketchgrad', 'bin', 'sketchgrad.mjs'), '--help'], {
      cwd: project.folder,
    }),
  ]);
  if (outcome.status === 'fulfilled') assert.unreachable('commander is not there');
  else
    assert.match(
      (outcome.reason as { stderr: string }).stderr,
      /the command needs the package .*npm install webgpu sharp/,
    );
});

test.run();
