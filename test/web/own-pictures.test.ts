// Pictures of one's own: embedded with progress, kept for the next visit, embedded again by another model.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { writeEmoji, writeEmojiFolder } from '../support/emoji-folder.ts';
import { longestTask } from '../support/main-thread.ts';
import { writeOtherModel } from '../support/page-model.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered, found, ready } from '../support/web-page.ts';

const CLASSES = ['high voltage', 'crescent moon', 'spoon', 'wrench', 'house'];
/** What a person sees as a stutter, in milliseconds. */
const LONGEST_TASK = 50;

const suite = pageSuite();

test('a folder is embedded, found, kept over a reload, and forgotten', async () => {
  const pictures = suite.at('photo');
  const written = await writeEmojiFolder(suite.at(), CLASSES);
  await writeFile(path.join(pictures, 'damaged.png'), 'this is no picture');
  await writeFile(path.join(pictures, 'notes.txt'), 'neither is this');
  const sketch = suite.at('sketch.png');
  await writeEmoji('crescent moon', 'emojione-monotone', sketch, 64);
  const { page, errors } = await suite.open();
  await page.evaluate(() => {
    const status = document.getElementById('own-status') as HTMLElement;
    const said: string[] = [];
    new MutationObserver(() => said.push(status.innerText)).observe(status, { childList: true });
    Object.assign(globalThis, { said });
  });
  const longest = await longestTask(suite.browser, page, async () => {
    await page.setInputFiles('#own-folder', pictures);
    await page.waitForFunction(
      (count) => document.getElementById('own-status')?.textContent?.startsWith(`${count} pictures, kept`),
      written,
    );
    await page.waitForSelector('#own-progress', { state: 'hidden' });
  });
  console.log(
    `main thread while ${written} pictures are embedded: ${longest.milliseconds.toFixed(1)} ms in the longest of ${longest.tasks} tasks`,
  );
  assert.ok(longest.tasks > 0);
  assert.ok(longest.milliseconds < LONGEST_TASK, `${longest.milliseconds} ms in one task`);
  assert.match(await page.innerText('#own-status'), /Not readable: damaged\.png/);
  const said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
  assert.ok(
    said.some((text) => text.startsWith('Reading 2 of')),
    said.join('; '),
  );
  assert.ok(
    said.some((text) => new RegExp(`Embedding ${written} of ${written}`).test(text)),
    said.join('; '),
  );

  const search = async (): Promise<string[]> => {
    await page.setInputFiles('#query-file', sketch);
    await page.waitForSelector('#results li');
    await answered(page);
    return found(page);
  };
  const first = await search();
  assert.match(first.slice(0, 4).join(), /crescent moon/);
  assert.is(first.length, Math.min(20, written));

  await page.reload();
  await ready(page);
  assert.match(await page.innerText('#own-status'), new RegExp(`^${written} pictures, kept`));
  await page.selectOption('#collection', { index: 1 });
  assert.equal(await search(), first);

  // Another model: the shipped one with one weight changed.
  const file = suite.at('other.safetensors');
  await writeOtherModel(file);
  await page.setInputFiles('#open-model', file);
  await page.waitForFunction(() => (document.getElementById('model') as HTMLSelectElement).selectedIndex === 1);
  await answered(page);
  const byOther = await page.locator('#results').innerHTML();
  await page.selectOption('#model', { index: 0 });
  await answered(page);
  assert.equal(await found(page), first);
  assert.is.not(await page.locator('#results').innerHTML(), byOther);
  // A file that is no model is told of by its name, and changes nothing.
  await page.setInputFiles('#open-model', sketch);
  await page.waitForSelector('#trouble:not([hidden])');
  assert.match(await page.innerText('#trouble'), /sketch\.png/);
  assert.is(await page.locator('#model option').count(), 2);

  // One is removed, and the keyboard goes on at the next.
  await page.click('#own-browse');
  // 128 floats each.
  const memory = (0.512 * written).toFixed(1);
  await page.waitForFunction(
    (vectors) =>
      new RegExp(
        `^This page stores [\\d.]+ [kM]B of the [\\d.]+ [MG]B that the browser allows\\. Their vectors take ${vectors} kB of memory\\.$`,
      ).test(document.getElementById('own-storage')?.innerText ?? ''),
    memory,
  );
  const names = await page.locator('#all-pictures bdi').allTextContents();
  assert.is(names.length, written);
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.click('#picture-remove');
  await page.waitForFunction((count) => document.querySelectorAll('#all-pictures li').length === count, written - 1);
  assert.equal(
    await page.locator('#all-pictures bdi').allTextContents(),
    names.filter((_, place) => place !== 1),
  );
  assert.is(await page.evaluate(() => document.activeElement?.querySelector('bdi')?.textContent), names[2]);
  await page.keyboard.press('Escape');
  assert.match(await page.innerText('#own-status'), new RegExp(`^${written - 1} pictures, kept`));
  // Many are added in steps, and what was stored stays when the rest is stopped.
  const buffer = await readFile(sketch);
  await page.setInputFiles(
    '#own-files',
    Array.from({ length: 400 }, (_, place) => ({ name: `${place}.png`, mimeType: 'image/png', buffer })),
  );
  await page.waitForFunction(() =>
    /^Reading (6[5-9]|[7-9]\d) of/.test(document.getElementById('own-status')?.textContent ?? ''),
  );
  await page.click('#own-stop');
  await page.waitForFunction(() =>
    /Stopped: \d+ were not added/.test(document.getElementById('own-status')?.textContent ?? ''),
  );
  const [, count, others] =
    /^(\d+) pictures, kept.*Stopped: (\d+) were/.exec(await page.innerText('#own-status')) ?? [];
  assert.is(Number(count) + Number(others), written - 1 + 400);
  assert.ok(Number(others) > 0);

  await page.click('#own-forget');
  await page.waitForFunction(() => document.getElementById('own-status')?.textContent === 'They are forgotten.');
  const left = await page.evaluate(async () => {
    const storage = (await navigator.storage.getDirectory()) as unknown as { keys(): AsyncIterable<string> };
    const names: string[] = [];
    for await (const name of storage.keys()) names.push(name);
    return names;
  });
  assert.equal(left, ['indexes']);
  assert.equal(errors, []);
});

test.run();
