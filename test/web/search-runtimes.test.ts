// The page gives the same answers as Node and Deno.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Remote } from 'comlink';
import type { Browser } from 'playwright-core';
import { denoExecutable } from '../../scripts/deno.ts';
import { adapterEnvironment } from '../../src/platform/adapter.ts';
import type { Engine } from '../../web/src/engine.ts';
import { launchChromium } from '../support/chromium.ts';
import { writeEmoji } from '../support/emoji-folder.ts';
import type { Answer } from '../runtimes/search-pictures.ts';
import { found, openPage, ready, servePage, type Site } from '../support/web-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const publicFile = (name: string): string => path.join(root, 'web/public', name);
/** Side of the shipped model's images. */
const SIDE = 32;
/** Deno's compiler rounds otherwise than Dawn's: test/runtimes/deno.test.ts has the same bound. */
const DENO_BOUND = 1e-4;

let browser: Browser;
let site: Site;
let folder: string;
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-runtimes-'));
  site = await servePage();
  browser = await launchChromium();
});
test.after(async () => {
  await browser.close();
  await site.close();
  await rm(folder, { recursive: true });
});

test('one model, index and query: the same ten best, and the same embeddings, in Chromium, Node and Deno', async () => {
  const sketches = [await sketchFile('high voltage', SIDE), await sketchFile('spoon', 96), await sketchFile('crescent moon', 600)];
  const env = { ...process.env, ...(await adapterEnvironment('swiftshader')) };
  const elsewhere = async (program: string, ...options: string[]): Promise<Answer[]> => {
    const words = [path.join(root, 'test/runtimes/search-pictures.ts'), publicFile('model.safetensors'), publicFile('index.safetensors'), ...sketches];
    return JSON.parse((await promisify(execFile)(program, [...options, ...words], { env, cwd: root })).stdout) as Answer[];
  };
  const [node, deno] = [await elsewhere(process.execPath, '--import', 'tsx'), await elsewhere(denoExecutable(), 'run', '--allow-all', '--no-check')];

  const { page, errors } = await openPage(browser, site.address);
  await ready(page);
  const tenBest: string[][] = [];
  for (const sketch of sketches) {
    await page.setInputFiles('#query-file', sketch);
    await page.waitForSelector('#results li:nth-child(20)');
    tenBest.push((await found(page)).slice(0, 10));
    await page.click('#clear');
  }
  const embeddings = await page.evaluate(
    async (pictures) => {
      const { sketchgrad } = globalThis as unknown as { sketchgrad: Remote<Engine> };
      const model = await sketchgrad.openModel(new Uint8Array(await (await fetch('model.safetensors')).arrayBuffer()), 'model');
      const blobs = await Promise.all(pictures.map(async (address, index) => ({ name: String(index), picture: await (await fetch(address)).blob() })));
      return [...(await sketchgrad.embed(model.checksum, blobs)).embeddings];
    },
    await Promise.all(sketches.map(async (sketch) => `data:image/png;base64,${(await readFile(sketch)).toString('base64')}`)),
  );

  const apart = (answers: readonly Answer[]): number => Math.max(...answers.flatMap(({ embedding }) => embedding).map((value, i) => Math.abs(value - embeddings[i])));
  console.log(`embeddings, largest difference to Chromium's: Node ${apart(node)}, Deno ${apart(deno).toExponential(1)}`);
  assert.is(embeddings.length, node.flatMap(({ embedding }) => embedding).length);
  for (const answers of [node, deno]) assert.equal(tenBest, answers.map((answer) => answer.tenBest));
  assert.is(apart(node), 0, 'both are Dawn on SwiftShader');
  assert.ok(apart(deno) < DENO_BOUND);
  assert.equal(errors, []);
  await page.context().close();
});

test.run();

/** A sketch of an unseen class as a PNG file. */
async function sketchFile(className: string, size: number): Promise<string> {
  const file = path.join(folder, 'queries', `${size}-${className}.png`);
  await writeEmoji(className, 'emojione-monotone', file, size);
  return file;
}
