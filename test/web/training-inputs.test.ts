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
  assert.ok(said.some((text) => /^Reading \d+ of \d+ pictures$/.test(text)), said.join('; '));
  assert.ok(said.some((text) => /^Compiling: \d+ of \d+ pipelines$/.test(text)), said.join('; '));
  assert.ok(said.some((text) => /Comparing before and after … Compiling: \d+ of \d+ pipelines$/.test(text)), said.join('; '));
  // A sketch as large as that has a small picture in its row, and is compared as all others.
  assert.is(await page.locator('#comparison-rows tr').count(), 4);
  const sides = await page.$$eval('#comparison-rows img', (images) => images.map((image) => Math.max(image.clientWidth, image.clientHeight)));
  assert.is(sides.length, 4 + 2 * 4 * 5);
  assert.ok(Math.max(...sides) <= 48, sides.join());
  assert.ok(await page.isVisible('#comparison-rows img'));
  await assertAccessible(page);
  const kept = await keptModel(page);
  assert.ok(kept.size > 0);

  // Paused before its first step.
  await page.selectOption('#model', { index: 0 });
  await page.click('#train-start');
  await page.click('#train-pause');
  await page.waitForFunction(() => document.getElementById('train-status')?.textContent?.startsWith('Paused after 0 steps'));
  assert.match(await status(), 'neither used nor kept: no step was done.');
  assert.is(await page.$eval('#model', (select: HTMLSelectElement) => select.selectedIndex), 0);
  assert.equal(await keptModel(page), kept);

  // A rate that the page itself refuses.
  await page.$eval('#train-rate', (input: HTMLInputElement) => (input.max = ''));
  await page.fill('#train-rate', '1000');
  await page.fill('#train-steps', '12');
  await page.click('#train-start');
  await page.waitForFunction(() => /^(Done after|The training )/.test(document.getElementById('train-status')?.textContent ?? '') && document.getElementById('train-pause')?.hidden);
  console.log(`rate 1000: ${await status()} ${await page.innerText('#trouble')}`);
  assert.match(await status(), /neither used nor kept: it diverged|ended (with|by) an error/);
  assert.is(await page.$eval('#model', (select: HTMLSelectElement) => select.selectedIndex), 0);
  assert.equal(await keptModel(page), kept);

  // All pictures of all classes but one are broken: the training says so, and nothing is left to go on with.
  await page.fill('#train-rate', '0.001');
  for (const name of ['spoon', 'wrench']) await page.click(`[aria-label="Remove ${name}"]`);
  await page.click('#train-start');
  await page.waitForSelector('#trouble:not([hidden])');
  assert.match(await page.innerText('#trouble'), /Two classes with a readable sketch and picture each are needed\. Not readable: .*broken\.png \(none left\)/);
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

test.run();

/** The kept model's size, and when it was written. */
function keptModel(page: Page): Promise<{ readonly size: number; readonly written: number }> {
  return page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('trained');
    const { size, lastModified } = await (await folder.getFileHandle('model.safetensors')).getFile();
    return { size, written: lastModified };
  });
}
