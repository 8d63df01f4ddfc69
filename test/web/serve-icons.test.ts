// The page of sketchgrad serve --icons: a drawing finds icons, which are filtered and copied.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { assertAccessible } from '../support/accessibility.ts';
import { launchChromium } from '../support/chromium.ts';
import { draw } from '../support/emoji-strokes.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { installSet, SHAPES } from '../support/icon-sets.ts';
import { killServers, startServe, type ServeProcess } from '../support/serve-process.ts';
import { answered, found, openPage } from '../support/web-page.ts';

/** The outline of the icon shapes:house, in 24ths of the pad. */
const HOUSE = [
  [3, 11],
  [12, 3],
  [21, 11],
  [21, 21],
  [15, 21],
  [15, 15],
  [9, 15],
  [9, 21],
  [3, 21],
  [3, 11],
].map(([x, y]) => ({ x: x / 24, y: y / 24 }));

let folder: string;
let server: ServeProcess;
let browser: Browser;
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-icons-page-'));
  await installSet(folder, 'shapes', { icons: SHAPES, others: { suffixes: { '': 'Outline', filled: 'Filled' } } });
  await installSet(folder, 'flags', {
    icons: { japan: { body: '<circle cx="12" cy="12" r="7" fill="#c00"/>' } },
    info: { palette: true, license: { title: 'Public domain' } },
  });
  const index = path.join(folder, 'icons.safetensors');
  const { code, stderr } = await runOnTestDevice(['icons', '--root', folder, '--sets', 'shapes,flags', '--out', index]);
  assert.is(code, 0, stderr);
  server = await startServe('--icons', index, '--root', folder, '--min-similarity', '0.7');
  browser = await launchChromium({ webgpu: false });
});
test.after(async () => {
  await browser.close();
  killServers();
  await rm(folder, { recursive: true });
});

test('a drawing finds its icon; names and drawings are copied, and filters narrow the search', async () => {
  const { page, errors } = await openPage(browser, server.address, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await page.waitForSelector('#filters:not([hidden])');
  assert.match(await page.innerText('.lead'), 'among 61 icons of 2 sets');
  await draw(page, [HOUSE]);
  await answered(page);
  const names = await found(page);
  assert.is(names.length, 20);
  assert.ok(names.slice(0, 3).includes('shapes:house'), names.slice(0, 3).join(', '));
  await page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLImageElement>('#results img')].every(
      ({ complete, naturalWidth }) => complete && naturalWidth > 0,
    ),
  );
  assert.match(await page.innerText('#results li:has(img[alt="shapes:house"])'), /0\.\d\d\s+MIT, outline/);

  await page.click('[aria-label="Copy the name shapes:house"]');
  await page.waitForSelector('text=Copied');
  assert.is(await page.evaluate(() => navigator.clipboard.readText()), 'shapes:house');
  await page.click('[aria-label="Copy shapes:house as SVG"]');
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('<svg'));
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), SHAPES.house.body);

  await page.selectOption('#style', 'solid');
  await page.waitForFunction(() =>
    [...document.querySelectorAll('#results li')].every((item) => item.textContent?.includes('solid')),
  );
  await page.selectOption('#licence', 'Public domain');
  await page.waitForFunction(() => document.getElementById('results')?.childElementCount === 0);
  assert.match(await page.innerText('#status'), 'nothing like this here');
  await page.selectOption('#style', '');
  await page.waitForSelector('#results li');
  assert.equal(await found(page), ['flags:japan']);
  assert.match(await page.innerText('#results li'), 'Public domain, colour');
  assert.equal(errors, []);
  await page.context().close();
});

test('it has no fault that axe-core knows, light and dark, at both sizes', async () => {
  const { page, errors } = await openPage(browser, server.address);
  await draw(page, [HOUSE]);
  await answered(page);
  await assertAccessible(page);
  assert.equal(errors, []);
  await page.context().close();
});

test.run();
