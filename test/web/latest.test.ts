// The answer is that of the latest sketch, model and collection, whatever was under way.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { writeEmoji, writeEmojiFolder } from '../support/emoji-folder.ts';
import { draw } from '../support/emoji-strokes.ts';
import { writeOtherModel } from '../support/page-model.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered, found } from '../support/web-page.ts';

const SLOW = 'slow.png';

let own: number;
const suite = pageSuite({
  prepare: async (at) => {
    own = await writeEmojiFolder(at(), ['spoon', 'wrench']);
    for (const [name, className] of [
      [SLOW, 'spoon'],
      ['fast.png', 'crescent moon'],
    ])
      await writeEmoji(className, 'emojione-monotone', at(name), 64);
  },
});

test('a picture that takes long to decode does not replace what came after it', async () => {
  const { page, errors } = await suite.shared();
  const slow = (await readFile(suite.at(SLOW))).length;
  await page.evaluate((size) => {
    const decode = globalThis.createImageBitmap.bind(globalThis) as (
      picture: Blob,
      options: ImageBitmapOptions,
    ) => Promise<ImageBitmap>;
    Object.assign(globalThis, {
      createImageBitmap: async (picture: Blob, options: ImageBitmapOptions) => {
        if (picture.size === size) await new Promise((resolve) => Object.assign(globalThis, { goOn: resolve }));
        return decode(picture, options);
      },
    });
  }, slow);
  const letSlowGoOn = async (): Promise<void> => {
    await page.evaluate(async () => {
      (globalThis as unknown as { goOn(): void }).goOn();
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
    await answered(page);
  };
  await page.setInputFiles('#query-file', suite.at('fast.png'));
  await page.waitForSelector('#results li');
  const expected = await shown(page);
  await page.click('#clear');

  await page.setInputFiles('#query-file', suite.at(SLOW));
  await page.setInputFiles('#query-file', suite.at('fast.png'));
  await page.waitForSelector('#results li');
  await letSlowGoOn();
  assert.is(await shown(page), expected, 'a later picture');

  await page.setInputFiles('#query-file', suite.at(SLOW));
  await page.click('#clear');
  await letSlowGoOn();
  assert.equal(await found(page), [], 'Clear');

  await page.setInputFiles('#query-file', suite.at(SLOW));
  await draw(page, [
    [
      { x: 0.3, y: 0.3 },
      { x: 0.6, y: 0.7 },
    ],
  ]);
  await answered(page);
  const drawn = await shown(page);
  await letSlowGoOn();
  assert.is(await shown(page), drawn, 'a drawing');

  // A file that no browser decodes is told of, and leaves the drawing.
  assert.not.match((await page.getAttribute('#query-file', 'accept')) ?? '', /svg|tiff|\*/);
  for (const [type, content] of [
    ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['image/tiff', 'II*\0'],
  ]) {
    await page.setInputFiles('#query-file', { name: 'a', mimeType: type, buffer: Buffer.from(content) });
    await page.waitForSelector('#trouble:not([hidden])');
    assert.match(await page.innerText('#trouble'), /cannot be read/);
    assert.is(await shown(page), drawn);
    await page.click('#undo');
    await answered(page);
    await draw(page, [
      [
        { x: 0.3, y: 0.3 },
        { x: 0.6, y: 0.7 },
      ],
    ]);
    await answered(page);
  }
  await page.click('#clear');
  await answered(page);
  assert.equal(errors, []);
});

test('a change of collection or model during a search is answered', async () => {
  const { page, errors } = await suite.shared();
  await page.setInputFiles('#own-folder', suite.at('photo'));
  await page.waitForFunction(
    (count) => document.getElementById('own-status')?.textContent?.startsWith(`${count} pictures, kept`),
    own,
  );
  const file = suite.at('other.safetensors');
  await writeOtherModel(file);
  await page.setInputFiles('#open-model', file);
  await page.waitForFunction(() => (document.getElementById('model') as HTMLSelectElement).selectedIndex === 1);
  await page.setInputFiles('#query-file', suite.at('fast.png'));
  await page.waitForSelector('#results li');

  // What each pair of collection and model answers when nothing else goes on.
  const alone = new Map<string, string>();
  const pairs = [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const;
  for (const pair of pairs) {
    await choose(page, [pair]);
    alone.set(pair.join(), await shown(page));
  }
  assert.is(new Set(alone.values()).size, pairs.length);
  for (const first of pairs) {
    for (const last of pairs) {
      await choose(page, [first, last]);
      assert.is(await shown(page), alone.get(last.join()), `${first.join()} and at once ${last.join()}`);
    }
  }
  assert.equal(errors, []);
});

test.run();

const shown = (page: Page): Promise<string> => page.locator('#results').innerHTML();

/** Chooses pairs of collection and model, one immediately after the other, and waits for the answer. */
async function choose(page: Page, pairs: readonly (readonly [number, number])[]): Promise<void> {
  await page.evaluate((all) => {
    for (const pair of all) {
      for (const [place, id] of ['collection', 'model'].entries()) {
        const select = document.getElementById(id) as HTMLSelectElement;
        select.selectedIndex = pair[place];
        select.dispatchEvent(new Event('change'));
      }
      if (document.getElementById('results')?.ariaBusy !== 'true') throw new Error('the search is not under way');
    }
  }, pairs);
  await answered(page);
}
