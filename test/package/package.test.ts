// What npm would publish: its manifest, its types, its bundles.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build as buildPage } from 'vite';
import { bundle, describeBundle, largestModules, PAGES } from '../../scripts/page-bundles.ts';
import { execute, packedPackage, PackageProject, root } from '../support/packed-package.ts';

let project: PackageProject;
const at = (...names: string[]): string => project.at(...names);

test.before(async () => {
  project = await PackageProject.make();
});
test.after(() => project.remove());

test('publint and arethetypeswrong find nothing', async () => {
  const bin = (name: string): string => path.join(root, 'node_modules', '.bin', name);
  assert.match((await execute(bin('publint'), [await packedPackage(), '--strict'])).stdout, /All good/);
  // It ends with an error where it finds something.
  await execute(bin('attw'), [await packedPackage(), '--profile', 'esm-only']);
});

test('its types hold, for bundlers and for Node', async () => {
  await writeFile(
    at('use.ts'),
    [
      "import { Device, Program, DeviceStorage } from 'sketchgrad/engine';",
      "import { RetrievalNetwork } from 'sketchgrad/nn';",
      "import { modelEmbeddings, type RetrievalModel } from 'sketchgrad/retrieval';",
      "import { trainRetrieval } from 'sketchgrad/training';",
      "import { openDevice } from 'sketchgrad/platform';",
      "import * as everything from 'sketchgrad';",
      'export const use = (gpu: GPUDevice): Device => new everything.Device(gpu);',
      'export const rows = (model: RetrievalModel): Promise<unknown> => modelEmbeddings(model, 1);',
      'export const open: () => Promise<Device> = () => openDevice();',
      'export { Program, DeviceStorage, RetrievalNetwork, trainRetrieval };',
    ].join('\n'),
  );
  // TypeScript's own DOM has WebGPU's types since version 6. Without it, as with all older versions, the names must
  // still be there.
  for (const [module, moduleResolution, lib] of [
    ['esnext', 'bundler', 'es2023,dom'],
    ['nodenext', 'nodenext', 'es2023,dom'],
    ['esnext', 'bundler', 'es2023'],
    ['nodenext', 'nodenext', 'es2023'],
  ]) {
    const options = [
      '--strict',
      '--noEmit',
      '--target',
      'es2022',
      '--lib',
      lib,
      '--module',
      module,
      '--moduleResolution',
      moduleResolution,
    ];
    await execute(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), ...options, 'use.ts'], {
      cwd: project.folder,
    }).catch(({ stdout }: { stdout: string }) => assert.unreachable(`${moduleResolution}: ${stdout}`));
  }
});

for (const page of PAGES) {
  test(`a page bundles ${page.title}, with nothing of Node in it`, async () => {
    const made = await bundle(page, project.folder);
    console.log(describeBundle(page, made));
    assert.ok(
      made.gzippedBytes < (page.limit ?? Infinity),
      `${describeBundle(page, made)}\n${largestModules(made, 20)}`,
    );
    assert.is(/-gradient[\w-]*\.wgsl/.test(made.code), page.differentiates);
  });
}

test('Vite takes it as it is, in a worker too', async () => {
  await writeFile(at('index.html'), '<script type="module" src="./main.js"></script>');
  await writeFile(at('main.js'), 'new Worker(new URL("./worker.js", import.meta.url), { type: "module" });');
  await writeFile(
    at('worker.js'),
    "import { openDevice } from 'sketchgrad/platform'; import { trainRetrieval } from 'sketchgrad'; console.log(openDevice, trainRetrieval);",
  );
  await buildPage({ root: project.folder, configFile: false, logLevel: 'error', worker: { format: 'es' } });
});

test.run();
