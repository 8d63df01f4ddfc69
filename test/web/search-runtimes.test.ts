// The page gives the same answers as Node and Deno.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import type { Remote } from 'comlink';
import { denoExecutable } from '../../scripts/deno.ts';
import { adapterEnvironment } from '../../src/platform/adapter.ts';
import type { Engine } from '../../web/src/engine.ts';
import { writeSketch } from '../support/emoji-folder.ts';
import type { Answer } from '../runtimes/search-pictures.ts';
import { readPageModel } from '../support/page-model.ts';
import { pageSuite } from '../support/page-suite.ts';
import { found } from '../support/web-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const publicFile = (name: string): string => path.join(root, 'web/public', name);
/** Side of the shipped model's images. */
const SIDE = Number((await readPageModel()).about.imageSize);
/** Deno's compiler rounds otherwise than Dawn's: test/runtimes/deno.test.ts has the same bound. */
const DENO_BOUND = 1e-4;

const suite = pageSuite();

test('one model, index and query: the same ten best, and the same embeddings, in Chromium, Node and Deno', async () => {
  const sketches = [
    await writeSketch(suite.at('queries'), 'high voltage', SIDE),
    await writeSketch(suite.at('queries'), 'spoon', 96),
    await writeSketch(suite.at('queries'), 'crescent moon', 600),
  ];
  // Small in a corner of its sheet: it is cut to its ink.
  const corner = suite.at('queries', 'corner.png');
  await sharp(sketches[1])
    .extend({ top: 7, bottom: 200, left: 150, right: 3, background: '#ffffff' })
    .png()
    .toFile(corner);
  sketches.push(corner);
  const env = { ...process.env, ...(await adapterEnvironment('swiftshader')) };
  const elsewhere = async (program: string, ...options: string[]): Promise<Answer[]> => {
    const words = [
      path.join(root, 'test/runtimes/search-pictures.ts'),
      publicFile('model.safetensors'),
      publicFile('index.safetensors'),
      ...sketches,
    ];
    return JSON.parse(
      (await promisify(execFile)(program, [...options, ...words], { env, cwd: root })).stdout,
    ) as Answer[];
  };
  const [node, deno] = [
    await elsewhere(process.execPath, '--import', 'tsx'),
    await elsewhere(denoExecutable(), 'run', '--allow-all', '--no-check'),
  ];

  const { page, errors } = await suite.open();
  const tenBest: string[][] = [];
  for (const sketch of sketches) {
    await page.setInputFiles('#query-file', sketch);
    await page.waitForSelector('#results li:nth-child(20)');
    tenBest.push((await found(page)).slice(0, 10));
    await page.click('#clear');
  }
  const { embeddings, ofMany } = await page.evaluate(
    async (pictures) => {
      const { sketchgrad } = globalThis as unknown as { sketchgrad: Remote<Engine> };
      const model = await sketchgrad.openModel(
        new Uint8Array(await (await fetch('model.safetensors')).arrayBuffer()),
        'model',
      );
      const blobs = await Promise.all(
        pictures.map(async (address, index) => ({ name: String(index), picture: await (await fetch(address)).blob() })),
      );
      const few = [...(await sketchgrad.embed(model.checksum, blobs)).embeddings];
      // With these the page has embedded more than 64 pictures: the program for many is another one.
      const copies = Array.from({ length: 16 }, () => blobs).flat();
      const many = [...(await sketchgrad.embed(model.checksum, copies)).embeddings];
      return { embeddings: few, ofMany: many };
    },
    await Promise.all(
      sketches.map(async (sketch) => `data:image/png;base64,${(await readFile(sketch)).toString('base64')}`),
    ),
  );

  const apart = (answers: readonly Answer[]): number =>
    Math.max(...answers.flatMap(({ embedding }) => embedding).map((value, i) => Math.abs(value - embeddings[i])));
  console.log(
    `embeddings, largest difference to Chromium's: Node ${apart(node)}, Deno ${apart(deno).toExponential(1)}`,
  );
  assert.is(embeddings.length, node.flatMap(({ embedding }) => embedding).length);
  for (const answers of [node, deno])
    assert.equal(
      tenBest,
      answers.map((answer) => answer.tenBest),
    );
  assert.is(apart(node), 0, 'both are Dawn on SwiftShader');
  assert.ok(apart(deno) < DENO_BOUND);
  const fromFew = ofMany.map((value, i) => Math.abs(value - embeddings[i % embeddings.length]));
  assert.is(fromFew.length, 16 * embeddings.length);
  assert.ok(Math.max(...fromFew) < 1e-5, 'other variants sum in another order');
  assert.ok(Math.max(...fromFew) > 0, 'it is the program for many');
  assert.equal(errors, []);
  await page.context().close();
});

test.run();
