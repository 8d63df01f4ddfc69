// The page is kept for the next visit: without a network, without a second download, and until there is a new version.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { writeServiceWorker } from '../../web/service-worker-plugin.ts';
import { launchChromium } from '../support/chromium.ts';
import { writeEmoji } from '../support/emoji-folder.ts';
import { draw } from '../support/emoji-strokes.ts';
import { chooseIcons } from '../support/icon-drawings.ts';
import { answered, builtPage, found, kept, openPage, ready, serve, type Site } from '../support/web-page.ts';

let folder: string;
let browser: Browser;
let site: Site;
let requests: string[] = [];
/** Beside what `search` draws. */
const OTHER_STROKE = [
  { x: 0.1, y: 0.8 },
  { x: 0.3, y: 0.2 },
  { x: 0.9, y: 0.1 },
];
const version = (): string => path.join(folder, 'site');

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-kept-'));
  await writeEmoji('spoon', 'noto', path.join(folder, 'spoon.png'), 64);
  browser = await launchChromium();
});
test.before.each(async () => {
  await rm(version(), { recursive: true, force: true });
  await cp(await builtPage(), version(), { recursive: true });
  requests = [];
  site = await serve(version(), (name) => {
    requests.push(name);
    return false;
  });
});
test.after.each(() => site.close());
test.after(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

test('the next visit needs no server: it searches, and has the visitor’s own pictures', async () => {
  const { page, errors } = await openPage(browser, site.address);
  await ready(page);
  await kept(page);
  for (const name of ['model.safetensors', 'index.safetensors', 'emoji.json', 'emoji.webp'])
    assert.is(requests.filter((each) => each === name).length, 1, `${name} is downloaded once`);
  const expected = await search(page);
  await addOwn(page);
  // What comes on demand is kept when it was asked for, in the first visit by the page itself.
  const icons = await searchIcons(page);
  const asked = requests.filter((name) => name.startsWith('icons/'));
  assert.ok(asked.includes('icons/index.safetensors') && asked.length < 25, asked.join());
  await keptIcons(page, asked.length);
  await page.close();

  requests = [];
  const second = await open(page.context());
  assert.equal(await search(second), expected);
  await kept(second);
  assert.equal(
    requests.filter((name) => name !== 'service-worker.js'),
    [],
  );
  assert.equal(await searchIcons(second), icons);
  assert.equal(
    requests.filter((name) => name.startsWith('icons/')),
    [],
  );
  // Other icons in the second visit: by the service worker.
  await draw(second, [OTHER_STROKE]);
  const others = await searchIcons(second);
  const more = requests.filter((name) => name.startsWith('icons/'));
  assert.ok(more.length > 0 && !more.includes('icons/index.safetensors'), more.join());
  await keptIcons(second, asked.length + more.length);
  await second.close();

  await site.close();
  const offline = await open(page.context());
  assert.equal(await search(offline), expected);
  assert.equal(await searchIcons(offline), icons);
  await draw(offline, [OTHER_STROKE]);
  assert.equal(await searchIcons(offline), others);
  assert.is(await offline.innerText('#own-status'), '1 pictures, kept on this device.');
  assert.equal(errors, []);
  await page.context().close();
});

test('a new version replaces the old one when no tab has that open, downloads what has changed, and leaves own pictures', async () => {
  const { page, errors } = await openPage(browser, site.address);
  await ready(page);
  await kept(page);
  await addOwn(page);
  const before = await cached(page);

  requests = [];
  const html = path.join(version(), 'index.html');
  await writeFile(html, (await readFile(html, 'utf8')).replace('<title>', '<title>New: '));
  await writeServiceWorker(version());
  await page.reload();
  await ready(page);
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    await registration.update();
    while (registration.waiting === null) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  assert.not.match(await page.title(), /^New/, 'one version at a time');
  assert.equal(
    requests.filter((name) => name !== 'service-worker.js'),
    ['index.html'],
  );
  await page.close();

  const next = await open(page.context());
  assert.match(await next.title(), /^New/);
  assert.is(await next.innerText('#own-status'), '1 pictures, kept on this device.');
  await next.waitForFunction(
    async (count) => (await (await caches.open('sketchgrad page')).keys()).length === count,
    before.length,
  );
  const after = await cached(next);
  assert.is(after.filter((key) => !before.includes(key)).length, 1);
  assert.equal(errors, []);
  await page.context().close();
});

test('a file that is not of the version that was installed is not kept', async () => {
  // As where a server is changed while a visitor loads the page.
  await writeFile(path.join(version(), 'emoji-attribution.md'), 'of the next version');
  const { page } = await openPage(browser, site.address);
  await ready(page);
  await page.waitForSelector('html[data-kept=true]', { state: 'attached' });
  // A service worker that cannot be installed is dropped; the next visit tries again.
  await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistration()) === undefined);
  assert.equal(
    (await cached(page)).filter((key) => key.includes('attribution')),
    [],
  );
  await page.context().close();
});

test.run();

async function open(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  await page.goto(site.address);
  await ready(page);
  return page;
}

async function search(page: Page): Promise<string[]> {
  await draw(page, [
    [
      { x: 0.2, y: 0.2 },
      { x: 0.8, y: 0.5 },
      { x: 0.5, y: 0.9 },
    ],
  ]);
  await answered(page);
  const names = await found(page);
  assert.is(names.length, 20);
  return names;
}

/** Waits until so many files of icons are kept. */
async function keptIcons(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    async (files) =>
      (await (await caches.open('sketchgrad page')).keys()).filter(({ url }) => url.includes('/icons/')).length ===
      files,
    count,
  );
}

/** Searches the icons by what is on the pad, and waits until all are shown. */
async function searchIcons(page: Page): Promise<string[]> {
  await chooseIcons(page);
  await page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLImageElement>('#results img')].every((image) => image.naturalWidth > 0),
  );
  return found(page);
}

async function addOwn(page: Page): Promise<void> {
  await page.setInputFiles('#own-files', path.join(folder, 'spoon.png'));
  await page.waitForFunction(
    () => document.getElementById('own-status')?.textContent === '1 pictures, kept on this device.',
  );
}

const cached = (page: Page): Promise<string[]> =>
  page.evaluate(async () => (await (await caches.open('sketchgrad page')).keys()).map(({ url }) => url).sort());
