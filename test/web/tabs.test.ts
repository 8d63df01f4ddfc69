// Kept pictures under several tabs: none is lost, forgetting reaches all of them, one more picture costs one embedding,
// and leaving while storing is asked about.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Page } from 'playwright-core';
import { writeEmoji } from '../support/emoji-folder.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered, found, ready } from '../support/web-page.ts';

/** A name that is written from right to left. */
const HEBREW = 'כפית 12.png';
const FIRST = ['spoon.png', 'wrench.png', 'house.png'];

const suite = pageSuite({
  prepare: async (at) => {
    for (const [index, name] of [...FIRST, HEBREW, 'a.png', 'b.png'].entries())
      await writeEmoji(['spoon', 'wrench', 'house'][index % 3], 'noto', at(name), 64 + index);
  },
});

test('two tabs add to the same pictures, and forget them for both', async () => {
  const { page: one, errors } = await suite.open();
  const two = await one.context().newPage();
  two.setDefaultTimeout(90_000);
  two.on('pageerror', (error) => errors.push(String(error)));
  await two.goto(suite.site.address);
  await ready(two);
  await record(one);

  const leaving = (): Promise<boolean> =>
    one.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })));
  assert.not(await leaving());
  await Promise.all([
    one.setInputFiles('#own-files', files(...FIRST)),
    two.setInputFiles('#own-files', files('a.png')),
  ]);
  for (const page of [one, two]) await kept(page, 4);
  const first = await recorded(one);
  assert.ok(first.asked.length > 0 && first.asked.every(Boolean), 'leaving while pictures are stored is asked about');
  assert.is(first.persisted, 1);
  await idle(one);
  assert.not(await leaving());

  // One more picture: only that is embedded, and the browser is not requested again.
  await record(one);
  await one.setInputFiles('#own-files', files(HEBREW));
  for (const page of [one, two]) await kept(page, 5);
  await idle(one);
  const second = await recorded(one);
  assert.equal(
    second.said.filter((text) => text.startsWith('Embedding')),
    ['Embedding 1 of 1'],
  );
  assert.is(second.persisted, 0);
  assert.match(second.html.find((text) => text.startsWith('Reading')) ?? '', `<bdi>${HEBREW}</bdi>`);

  // Both find all five, by the same embeddings.
  const answers: string[][] = [];
  for (const page of [one, two]) {
    await page.selectOption('#collection', { index: 1 });
    await page.setInputFiles('#query-file', files('spoon.png'));
    await page.waitForSelector('#results li:nth-child(5)');
    answers.push(await found(page));
  }
  assert.equal(answers[0], answers[1]);
  assert.equal([...answers[0]].sort(), [...FIRST, HEBREW, 'a.png'].sort());
  assert.is(await one.innerText('#status bdi'), answers[0][0]);

  // Another tab forgets while this one embeds: the first embedding waits until then.
  await one.evaluate(() => Object.assign(globalThis, { said: [] }));
  await hold(one);
  await one.setInputFiles('#own-files', files('b.png'));
  await one.waitForFunction(() =>
    document.querySelectorAll<HTMLOptionElement>('#collection option')[1].text.startsWith('6 '),
  );
  await two.click('#own-forget');
  await one.waitForFunction(() =>
    document.querySelectorAll<HTMLOptionElement>('#collection option')[1].text.startsWith('0 '),
  );
  await goOn(one);
  await idle(one);
  for (const page of [one, two]) {
    await answered(page);
    assert.equal(await found(page), []);
    assert.match(await page.innerText('#status'), /no pictures of your own/);
    assert.ok(await page.isHidden('#own-forget'));
  }
  assert.equal(await storedFiles(one), []);

  // And this tab forgets while it embeds.
  await hold(one);
  await one.setInputFiles('#own-files', files('b.png'));
  await one.waitForFunction(() =>
    document.querySelectorAll<HTMLOptionElement>('#collection option')[1].text.startsWith('1 '),
  );
  await one.click('#own-forget');
  await goOn(one);
  await idle(one);
  assert.is(await one.innerText('#own-status'), 'They are forgotten.');
  assert.equal(await storedFiles(two), []);

  // Pictures that an earlier version of the page kept are read.
  await two.evaluate(async () => {
    const library = await (await navigator.storage.getDirectory()).getDirectoryHandle('library', { create: true });
    const write = async (name: string, content: Blob | string): Promise<void> => {
      const stream = await (await library.getFileHandle(name, { create: true })).createWritable();
      await stream.write(content);
      await stream.close();
    };
    const canvas = new OffscreenCanvas(8, 8);
    canvas.getContext('2d')?.fillRect(2, 2, 4, 4);
    await write('0', await canvas.convertToBlob());
    await write('list.json', '["old.png"]');
  });
  await two.reload();
  await ready(two);
  await kept(two, 1);
  assert.equal(errors, []);
  await one.context().close();
});

test.run();

const files = (...names: string[]): string[] => names.map((name) => suite.at(name));

const kept = (page: Page, count: number): Promise<unknown> =>
  page.waitForFunction(
    (all) => document.getElementById('own-status')?.textContent === `${all} pictures, kept on this device.`,
    count,
  );

const idle = (page: Page): Promise<unknown> => page.waitForSelector('#own-progress', { state: 'hidden' });

interface Recorded {
  readonly said: string[];
  readonly html: string[];
  /** Whether leaving was asked about while a picture was read. */
  readonly asked: boolean[];
  persisted: number;
}

/** Begins to keep what the page says, and whether it asks to persist and before leaving. */
async function record(page: Page): Promise<void> {
  await page.evaluate(() => {
    const kept: Recorded = { said: [], html: [], asked: [], persisted: 0 };
    const status = document.getElementById('own-status') as HTMLElement;
    new MutationObserver(() => {
      kept.said.push(status.textContent);
      kept.html.push(status.innerHTML);
      if (status.textContent.startsWith('Reading'))
        kept.asked.push(!dispatchEvent(new Event('beforeunload', { cancelable: true })));
    }).observe(status, { childList: true });
    navigator.storage.persist = () => {
      kept.persisted++;
      return Promise.resolve(false);
    };
    Object.assign(globalThis, { kept });
  });
}

const recorded = (page: Page): Promise<Recorded> =>
  page.evaluate(() => (globalThis as unknown as { kept: Recorded }).kept);

/** Holds back all results of the page's device. */
async function hold(page: Page): Promise<void> {
  await page.workers()[0].evaluate(() => {
    const { mapAsync } = GPUBuffer.prototype;
    const held = new Promise<void>((resolve) => Object.assign(globalThis, { goOn: resolve }));
    GPUBuffer.prototype.mapAsync = function (this: GPUBuffer, ...options: Parameters<GPUBuffer['mapAsync']>) {
      return held.then(() => mapAsync.apply(this, options));
    };
  });
}

async function goOn(page: Page): Promise<void> {
  await page.workers()[0].evaluate(() => (globalThis as unknown as { goOn(): void }).goOn());
}

/** What is kept of one's own pictures. */
function storedFiles(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const names: string[] = [];
    const list = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
      for await (const [name, each] of folder as unknown as AsyncIterable<[string, FileSystemHandle]>) {
        if (each.kind === 'file') names.push(`${path}${name}`);
        else await list(each as FileSystemDirectoryHandle, `${path}${name}/`);
      }
    };
    await list(await navigator.storage.getDirectory(), '');
    return names.filter((name) => /^(library|indexes\/own)\//.test(name));
  });
}
