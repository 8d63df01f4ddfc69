// The page of sketchgrad serve, in a browser without WebGPU: a drawing finds pictures of a folder.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { emojiClasses } from '../../datasets/emoji.ts';
import { assertAccessible } from '../support/accessibility.ts';
import { launchChromium } from '../support/chromium.ts';
import { writeEmojiFolder } from '../support/emoji-folder.ts';
import { draw, emojiStrokes } from '../support/emoji-strokes.ts';
import { PAGE_MODEL } from '../support/page-model.ts';
import { killServers, startServe, type ServeProcess } from '../support/serve-process.ts';
import { answered, found, openPage } from '../support/web-page.ts';

/** Classes whose outlines the shipped model finds (docs/web.md), and others to choose among. */
const DRAWN = [
  ['high voltage', 'openmoji'],
  ['crescent moon', 'emojione-monotone'],
  ['spoon', 'emojione-monotone'],
] as const;
const OTHERS = 15;

let folder: string;
let photos: number;
let server: ServeProcess;
let browser: Browser;
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-serve-page-'));
  const unseen = (await emojiClasses()).filter(({ split }) => split === 'unseen').map(({ name }) => name);
  photos = await writeEmojiFolder(folder, [...DRAWN.map(([name]) => name), ...unseen.slice(0, OTHERS)]);
  server = await startServe(path.join(folder, 'photo'), '--model', PAGE_MODEL);
  browser = await launchChromium({ webgpu: false });
});
test.after(async () => {
  await browser.close();
  assert.is((await server.end()).code, 0);
  killServers();
  await rm(folder, { recursive: true });
});

test('a drawing finds its class among the ten best, with thumbnails and the time of each stage', async () => {
  const { page, errors } = await openPage(browser, server.address);
  // The policy of the page keeps out the SVG's style by which strokes are measured.
  const elsewhere = await browser.newPage();
  assert.match(await page.innerText('.lead'), `among ${photos}`);
  for (const [className, set] of DRAWN) {
    await draw(page, await emojiStrokes(elsewhere, className, set));
    await answered(page);
    const names = await found(page);
    assert.is(names.length, 20);
    assert.ok(
      names.slice(0, 10).some((name) => name.startsWith(`${className}/`)),
      `a drawn ${className} finds ${names.slice(0, 10).join(', ')}`,
    );
    assert.match(await page.innerText('#times'), /decode .* ms, wait .* ms, embed .* ms, rank .* ms/);
    await page.waitForFunction(() =>
      [...document.querySelectorAll<HTMLImageElement>('#results img')].every(
        ({ complete, naturalWidth }) => complete && naturalWidth > 0,
      ),
    );
    await page.click('#clear');
    await page.waitForFunction(() => document.getElementById('results')?.childElementCount === 0);
  }
  assert.equal(errors, []);
  await elsewhere.close();
  await page.context().close();
});

test('a picture is chosen; what the server refuses is said, and the next one works', async () => {
  const { page, errors } = await openPage(browser, server.address);
  const file = path.join(folder, 'photo', 'spoon', 'noto.png');
  await page.setInputFiles('#query-file', file);
  await page.waitForSelector('#results li:nth-child(20)');
  assert.is((await found(page))[0], 'spoon/noto.png');
  // What is like a result is searched by its row, until something is drawn.
  const [likeRequest] = await Promise.all([
    page.waitForRequest('**/search?*'),
    page.click('#results li:nth-child(2) button'),
  ]);
  assert.is(likeRequest.method(), 'GET');
  assert.match(likeRequest.url(), /like=\d+/);
  await answered(page);
  // Two sketches search together, in one form.
  await page.click('#add-sketch');
  await answered(page);
  const [request] = await Promise.all([
    page.waitForRequest('**/search?*'),
    draw(page, [
      [
        { x: 0.2, y: 0.2 },
        { x: 0.8, y: 0.8 },
      ],
    ]),
  ]);
  assert.match(request.headers()['content-type'], 'multipart/form-data');
  await answered(page);
  assert.is((await found(page)).length, 20);
  await page.getByRole('button', { name: 'Remove sketch 1' }).click();
  await page.setInputFiles('#query-file', { name: 'a.bmp', mimeType: 'image/bmp', buffer: bitmap() });
  await page.waitForSelector('#trouble:not([hidden])');
  assert.match(await page.innerText('#trouble'), 'neither PNG nor JPEG nor WebP');
  await page.setInputFiles('#query-file', file);
  await page.waitForSelector('#trouble', { state: 'hidden' });
  await answered(page);
  assert.is((await found(page))[0], 'spoon/noto.png');
  assert.ok(
    errors.every((message) => message.includes('415')),
    errors.join('\n'),
  );
  await page.context().close();
});

test('only the answer to the latest sketch is shown, and only the latest waits while one is under way', async () => {
  const { page, errors } = await openPage(browser, server.address);
  // Each search waits until it is told how to end.
  const searches: { answer(ends: 'well' | 'badly'): Promise<void> }[] = [];
  let arrived = (): void => undefined;
  await page.route('**/search?*', (route) => {
    const number = searches.length + 1;
    const answer = { neighbours: [{ row: 0, path: `answer ${number}`, similarity: 1 }], times: {} };
    searches.push({
      answer: (ends) =>
        route.fulfill(ends === 'well' ? { json: answer } : { status: 500, json: { error: `failure ${number}` } }),
    });
    arrived();
  });
  const under = async (count: number): Promise<void> => {
    while (searches.length < count) await new Promise<void>((resolve) => (arrived = resolve));
  };
  // All that the page ever shows.
  await page.evaluate(() => {
    const shown: string[] = Object.assign(globalThis, { shown: [] }).shown;
    const watch = new MutationObserver(() =>
      shown.push(
        `${document.querySelector('#results li bdi')?.textContent ?? 'nothing'}; ${document.getElementById('trouble')?.textContent ?? ''}`,
      ),
    );
    for (const id of ['results', 'trouble'])
      watch.observe(document.getElementById(id) as Node, { childList: true, characterData: true, subtree: true });
  });
  const everShown = async (): Promise<string> =>
    (await page.evaluate(() => (globalThis as unknown as { shown: string[] }).shown)).join('\n');
  const box = await page.locator('#pad').boundingBox();
  assert.ok(box !== null);
  // A dot: while a pen moves, the page searches as well.
  const stroke = (y: number): Promise<void> => page.mouse.click(box.x + 0.5 * box.width, box.y + y * box.height);

  for (const [first, ends] of [
    [1, 'well'],
    [3, 'badly'],
  ] as const) {
    await stroke(0.1 * first);
    await under(first);
    // Two more changes, of which only the last one is asked about.
    await stroke(0.1 * first + 0.05);
    await stroke(0.1 * first + 0.1);
    await searches[first - 1].answer(ends);
    await under(first + 1);
    assert.is(await page.getAttribute('#results', 'aria-busy'), 'true');
    assert.not.match(await everShown(), `${ends === 'well' ? 'answer' : 'failure'} ${first}`);
    await searches[first].answer('well');
    await answered(page);
    assert.equal(await found(page), [`answer ${first + 1}`]);
    assert.is(searches.length, first + 1);
  }
  // What is cleared during a search stays empty.
  await stroke(0.6);
  await under(5);
  await page.click('#clear');
  await searches[4].answer('well');
  await answered(page);
  assert.equal(await found(page), []);
  assert.is(await page.innerText('#status'), 'Draw something.');
  const all = await everShown();
  for (const stale of ['answer 1', 'answer 3', 'failure 3', 'answer 5']) assert.not.match(all, stale);
  for (const current of ['answer 2', 'answer 4']) assert.match(all, current);
  // The latest one's failure is told.
  await stroke(0.7);
  await under(6);
  await searches[5].answer('badly');
  await page.waitForSelector('#trouble:not([hidden])');
  assert.match(await page.innerText('#trouble'), 'failure 6');
  await answered(page);
  assert.ok(
    errors.every((message) => message.includes('500')),
    errors.join('\n'),
  );
  await page.context().close();
});

test('results follow the pen, one search at a time, and the last answer is that of the whole drawing', async () => {
  const { page, errors } = await openPage(browser, server.address);
  const box = await page.locator('#pad').boundingBox();
  assert.ok(box !== null);
  let [begun, ended] = [0, 0];
  let isHeld = false;
  let release = (): void => undefined;
  await page.route('**/search?*', async (route) => {
    begun++;
    assert.is(begun - ended, 1, 'one at a time');
    if (isHeld) await new Promise<void>((resolve) => (release = resolve));
    const response = await route.fetch();
    ended++;
    await route.fulfill({ response });
  });
  const move = async (from: number, to: number): Promise<void> => {
    for (let step = from; step <= to; step++) {
      const [x, y] = [0.5 + 0.3 * Math.cos(step / 5), 0.5 + 0.3 * Math.sin(step / 5)];
      await page.mouse.move(box.x + x * box.width, box.y + y * box.height);
    }
  };
  const shown = (): Promise<string> => page.locator('#results').innerHTML();
  await move(0, 0);
  await page.mouse.down();
  await move(1, 8);
  await page.waitForSelector('#results li:nth-child(20)');
  await answered(page);
  // The pen is still down.
  assert.is(await page.getAttribute('#status', 'aria-live'), 'off');

  // An answer that takes long: the pen moves on, and is lifted, before it comes.
  isHeld = true;
  const held = begun + 1;
  await move(9, 12);
  while (begun < held) await new Promise((resolve) => setTimeout(resolve, 10));
  isHeld = false;
  // Not before: on a slow machine a search of the first places may still have been to come.
  const early = await shown();
  await move(13, 28);
  await page.mouse.up();
  assert.is(await page.getAttribute('#results', 'aria-busy'), 'true');
  assert.is(await shown(), early, 'nothing new meanwhile');
  release();
  await answered(page);
  assert.is(begun, held + 1, 'the whole drawing, once');
  assert.is(await page.getAttribute('#status', 'aria-live'), 'polite');
  const whole = await shown();
  assert.is.not(whole, early);
  assert.ok(begun < 28, `${begun} searches for 28 places`);

  // Without any movement: the same drawing, taken back and drawn again.
  await page.click('#undo');
  await answered(page);
  await page.click('#redo');
  await answered(page);
  assert.is(await shown(), whole);
  assert.equal(errors, []);
  await page.context().close();
});

test('it has no fault that axe-core knows, light and dark, at both sizes', async () => {
  const { page, errors } = await openPage(browser, server.address);
  await draw(page, [
    [
      { x: 0.2, y: 0.2 },
      { x: 0.8, y: 0.8 },
    ],
  ]);
  await answered(page);
  await assertAccessible(page);
  assert.equal(errors, []);
  await page.context().close();
});

test.run();

/** A picture of 1 x 1 pixels that browsers show, and that the server does not take. */
function bitmap(): Buffer {
  const file = Buffer.alloc(58);
  file.write('BM', 'latin1');
  for (const [offset, value] of [
    [2, 58],
    [10, 54],
    [14, 40],
    [18, 1],
    [22, 1],
    [34, 4],
  ])
    file.writeUInt32LE(value, offset);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  return file;
}
