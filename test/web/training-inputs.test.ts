// What a training is given: inputs out of bounds, broken and huge pictures, a training that diverges or learns nothing.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { assertAccessible } from '../support/accessibility.ts';
import { writeEmoji, writeEmojiFolder } from '../support/emoji-folder.ts';
import { ended, outcome, recordTraining } from '../support/page-training.ts';
import { pageSuite } from '../support/page-suite.ts';
import { ready } from '../support/web-page.ts';

/** Side of a sketch that is far larger than any place for it, in pixels. */
const HUGE = 3000;

const suite = pageSuite({
  smallModel: true,
  prepare: async (at) => {
    const classes = at('classes');
    await writeEmojiFolder(classes, ['spoon', 'wrench', 'house']);
    // Named so that they come last: the comparison takes each class's last sketch.
    await writeEmoji('spoon', 'emojione-monotone', path.join(classes, 'sketch/spoon/zz-huge.png'), HUGE);
    for (const name of ['sketch/wrench/zz-broken.png', 'photo/house/00-broken.png', 'photo/none left/broken.png']) {
      await writeEmoji('wrench', 'noto', path.join(classes, name), 32);
      await writeFile(path.join(classes, name), 'this is no picture');
    }
    await writeEmoji('wrench', 'noto', path.join(classes, 'sketch/none left/sketch.png'), 32);
  },
});

test('inputs are checked, broken pictures passed over, and only a model that learned is kept', async () => {
  const { page, errors } = await suite.open();
  await page.setInputFiles('#train-folder', suite.at('classes'));
  await recordTraining(page);
  const status = (): Promise<string> => page.innerText('#train-status');
  await page.selectOption('#train-preset', 'own');

  for (const [id, value, said] of [
    ['train-rate', '1000', 'The learning rate must be a number from 0.00001 to 0.1.'],
    ['train-rate', '0', 'The learning rate must be a number from 0.00001 to 0.1.'],
    ['train-rate', '', 'The learning rate must be a number from 0.00001 to 0.1.'],
    ['train-steps', '20000', 'Steps must be a whole number from 2 to 10000.'],
    ['train-steps', '2.5', 'Steps must be a whole number from 2 to 10000.'],
    ['train-steps', '1', 'Steps must be a whole number from 2 to 10000.'],
  ]) {
    const before = await page.inputValue(`#${id}`);
    await page.fill(`#${id}`, value);
    await page.click('#train-start');
    assert.is(await status(), said, `${id} ${value}`);
    assert.ok(await page.isHidden('#train-pause'));
    await page.fill(`#${id}`, before);
  }

  await page.fill('#train-steps', '6');
  await page.click('#train-start');
  await ended(page, 'Done');
  await page.waitForFunction(() => document.getElementById('train-status')?.textContent?.includes('passed over'));
  assert.match(await status(), 'The model is kept for your next visit. Not readable, and passed over: ');
  const named = await page.$$eval('#train-status bdi', (names) => names.map(({ textContent }) => textContent));
  assert.equal(named.sort(), ['house/00-broken.png', 'none left/broken.png', 'wrench/zz-broken.png']);
  const { said, checksum } = await outcome(page);
  assert.ok(
    said.some((text) => /^Reading \d+ of \d+ pictures$/.test(text)),
    said.join('; '),
  );
  assert.ok(
    said.some((text) => /^Compiling: \d+ of \d+ pipelines$/.test(text)),
    said.join('; '),
  );
  assert.ok(
    said.some((text) => /Comparing before and after … Compiling: \d+ of \d+ pipelines$/.test(text)),
    said.join('; '),
  );
  // A sketch as large as that has a small picture in its row, and is compared as all others.
  assert.is(await page.locator('#comparison-rows tr').count(), 3);
  const sides = await page.$$eval('#comparison-rows img', (images) =>
    images.map((image) => Math.max(image.clientWidth, image.clientHeight)),
  );
  assert.is(sides.length, 3 + 2 * 3 * 5);
  assert.ok(Math.max(...sides) <= 48, sides.join());
  // Of spoon and wrench, which have two sketches, one was kept out, and that of the wrench is broken. The class with no
  // readable picture was passed over.
  const score = await page.innerText('#comparison-score');
  assert.match(
    score,
    /^Of 1 sketch that the training did not see, the nearest picture is of the right class for [01] before and for [01] after\.$/,
    score,
  );
  assert.equal(
    await page.$$eval('#comparison-rows th', (heads) => heads.map(({ textContent }) => textContent).sort()),
    ['house (trained on)', 'spoon', 'wrench (trained on)'],
  );
  assert.ok(await page.isVisible('#comparison-rows img'));
  await assertAccessible(page);
  const kept = await keptModel(page);
  assert.ok(kept.size > 0);

  // Paused before its first step.
  await page.selectOption('#model', { index: 0 });
  await page.click('#train-start');
  await page.click('#train-pause');
  await page.waitForFunction(() =>
    document.getElementById('train-status')?.textContent?.startsWith('Paused after 0 steps'),
  );
  assert.match(await status(), 'neither used nor kept: no step was done.');
  assert.is(await page.$eval('#model', (select: HTMLSelectElement) => select.selectedIndex), 0);
  assert.equal(await keptModel(page), kept);

  // A rate that the page itself refuses.
  await page.$eval('#train-rate', (input: HTMLInputElement) => (input.max = ''));
  await page.fill('#train-rate', '1000');
  await page.fill('#train-steps', '12');
  await page.click('#train-start');
  await page.waitForFunction(
    () =>
      /^(Done after|The training )/.test(document.getElementById('train-status')?.textContent ?? '') &&
      document.getElementById('train-pause')?.hidden,
  );
  console.log(`rate 1000: ${await status()} ${await page.innerText('#trouble')}`);
  assert.match(await status(), /neither used nor kept: it diverged|ended (with|by) an error/);
  assert.is(await page.$eval('#model', (select: HTMLSelectElement) => select.selectedIndex), 0);
  assert.equal(await keptModel(page), kept);

  // All pictures of all classes but one are broken: the training says so, and nothing is left to go on with.
  await page.fill('#train-rate', '0.001');
  for (const name of ['spoon', 'wrench']) await page.click(`[aria-label="Remove ${name}"]`);
  await page.click('#train-start');
  await page.waitForSelector('#trouble:not([hidden])');
  assert.match(
    await page.innerText('#trouble'),
    /Two classes with a readable sketch and picture each are needed\. Not readable: .*broken\.png \(none left\)/,
  );
  assert.ok(await page.isHidden('#train-resume'));
  assert.equal(await keptModel(page), kept);

  // The next visit has the model of the training that learned; another tab that forgets it takes the offer from all.
  const [two, three] = [await page.context().newPage(), await page.context().newPage()];
  for (const next of [two, three]) {
    await next.goto(suite.site.address);
    await ready(next);
    await next.waitForSelector('#kept:not([hidden])');
  }
  await three.click('#kept-forget');
  await two.waitForSelector('#kept', { state: 'hidden' });
  assert.match(checksum, /^[0-9a-f]{64}$/);
  assert.equal(errors, []);
  await page.context().close();
});

test('classes are collected from files, the pad and a camera, seen as thumbnails, saved to a file and opened again', async () => {
  const { page, errors } = await suite.open();
  const thumbnails = (name: string): Promise<number> =>
    page.locator('#classes li', { hasText: name }).locator('.thumbnails button').count();
  await page.setInputFiles('#train-folder', suite.at('classes'));
  const spoons = await thumbnails('spoon');
  assert.ok(spoons >= 3);
  // By the keyboard: the focus stays where the next picture is.
  await page.focus('[aria-label="Remove sketch 1 of spoon"]');
  await page.keyboard.press('Enter');
  assert.is(await thumbnails('spoon'), spoons - 1);
  assert.is(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Remove sketch 1 of spoon');

  await page.fill('#class-name', 'ball');
  await page.keyboard.press('Enter');
  await page.click('[aria-label="Add what is drawn to ball"]');
  assert.is(await page.innerText('#train-status'), 'Draw something first.');
  assert.is(await thumbnails('ball'), 0);
  // Chromium has no camera here, and says so; then a moving picture takes its place.
  await page.click('[aria-label="Use the camera for ball"]');
  await page.waitForFunction(() => /camera/.test(document.getElementById('train-status')?.textContent ?? ''));
  await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 48];
    setInterval(() => canvas.getContext('2d')?.fillRect(10 * Math.random(), 10, 20, 20), 50);
    navigator.mediaDevices.getUserMedia = () =>
      Promise.resolve(Object.assign(globalThis, { cameraStream: canvas.captureStream(20) }).cameraStream);
  });
  await page.click('[aria-label="Use the camera for ball"]');
  await page.waitForFunction(() => (document.getElementById('camera-video') as HTMLVideoElement).videoWidth === 64);
  await page.click('#camera-take');
  await page.waitForFunction(() => document.getElementById('camera-count')?.textContent === '1 taken');
  await assertAccessible(page);
  await page.keyboard.press('Escape');
  await page.waitForSelector('#camera', { state: 'hidden' });
  assert.is(await thumbnails('ball'), 1);
  await page.waitForFunction(() =>
    (globalThis as unknown as { cameraStream: MediaStream }).cameraStream
      .getTracks()
      .every(({ readyState }) => readyState === 'ended'),
  );

  const numbers = (): Promise<string[]> =>
    page.$$eval('#train-steps, #train-rate', (inputs) => inputs.map((input) => (input as HTMLInputElement).value));
  assert.equal(await numbers(), ['60', '0.001']);
  await page.selectOption('#train-preset', 'thorough');
  assert.equal(await numbers(), ['240', '0.001']);
  assert.ok(await page.isHidden('#train-steps'));

  const download = page.waitForEvent('download');
  await page.click('#project-save');
  const file = suite.at('classes.json');
  await (await download).saveAs(file);
  await writeFile(
    suite.at('other.json'),
    JSON.stringify({
      format: 'sketchgrad classes 1',
      classes: [{ name: 'ball', sketches: ['data:image/png;base64,####'], photos: [] }],
    }),
  );
  const next = await page.context().newPage();
  await next.goto(suite.site.address);
  await ready(next);
  await next.setInputFiles('#project-open', suite.at('other.json'));
  await next.waitForSelector('#trouble:not([hidden])');
  assert.match(await next.innerText('#trouble'), /number 1 of the sketches of class 1 is no picture/);
  await next.setInputFiles('#project-open', file);
  await next.waitForFunction(() => document.getElementById('train-status')?.textContent === '5 classes opened.');
  assert.ok(await next.isHidden('#trouble'));
  const counts = (of: Page): Promise<string[]> =>
    of.$$eval('#classes li', (cards) =>
      cards.map(
        (card) =>
          `${card.querySelector('strong')?.textContent}: ${[...card.querySelectorAll('p')].map(({ textContent }) => textContent).join(', ')}`,
      ),
    );
  assert.equal(await counts(next), await counts(page));
  await page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLImageElement>('[aria-label^="Remove picture 1 of ball"] img')].every(
      ({ naturalWidth }) => naturalWidth === 64,
    ),
  );
  assert.equal(errors, []);
  await page.context().close();
});

test.run();

/** The kept model's size, and when it was written. */
function keptModel(page: Page): Promise<{ readonly size: number; readonly written: number }> {
  return page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('trained');
    const { size, lastModified } = await (await folder.getFileHandle('model.safetensors')).getFile();
    return { size, written: lastModified };
  });
}
