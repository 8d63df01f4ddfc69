// The first minute: sketches to try, and the collection's pictures to look through.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Page } from 'playwright-core';
import { assertAccessible } from '../support/accessibility.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered, found } from '../support/web-page.ts';

const suite = pageSuite();

const EXAMPLES = ['guitar', 'cactus', 'tent', 'moon', 'butterfly', 'mountain'];

test('each example sketch is drawn and finds pictures, and an empty pad invites again', async () => {
  const { page, errors } = await suite.shared();
  await page.emulateMedia({ reducedMotion: 'reduce' });
  assert.equal(await page.locator('#examples button').allInnerTexts(), EXAMPLES);
  await assertAccessible(page);
  const answers = new Set<string>();
  for (const name of EXAMPLES) {
    await page.getByRole('button', { name, exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('#results li:nth-child(20)');
    await answered(page);
    assert.not.ok(await page.isVisible('#invitation'), 'beside a drawing');
    assert.is(await focused(page), 'pad');
    answers.add((await found(page)).join());
    await page.click('#clear');
    await answered(page);
    assert.equal(await found(page), []);
    assert.ok(await page.isVisible('#invitation'));
  }
  assert.is(answers.size, EXAMPLES.length, 'each sketch has an answer of its own');
  assert.equal(errors, []);
  await page.emulateMedia({ reducedMotion: 'no-preference' });
});

test('all pictures of the collection can be looked through, with their names', async () => {
  const { page, errors } = await suite.shared();
  const layout = (await (await fetch(`${suite.site.address}emoji.json`)).json()) as { names: string[] };
  await page.click('#browse-invited');
  await assertAccessible(page);
  const names = await page.locator('#all-pictures bdi').allTextContents();
  while ((await page.getAttribute('#all-next', 'aria-disabled')) === 'false') {
    await page.click('#all-next');
    names.push(...(await page.locator('#all-pictures bdi').allTextContents()));
  }
  assert.equal(names, layout.names);
  assert.match(await page.innerText('#all-range'), new RegExp(`to ${names.length} of ${names.length}$`));
  await page.press('#all-next', 'Enter');
  assert.is(await page.locator('#all-pictures bdi').last().textContent(), names.at(-1));
  // The keyboard reaches the pictures before the buttons of the pages, and turns pages as well.
  await page.focus('#all button[type=submit]');
  // One stop of the Tab key.
  await page.keyboard.press('Tab');
  await page.keyboard.press('PageUp');
  await page.keyboard.press('End');
  assert.ok(
    await page.evaluate(() => document.activeElement === document.querySelector('#all-pictures li:last-child button')),
  );
  await page.waitForFunction(() => (document.getElementById('all-pictures') as HTMLElement).scrollTop > 0);
  await page.keyboard.press('Escape');
  assert.not.ok(await page.isVisible('#all'));
  assert.is(await focused(page), 'browse-invited');
  assert.equal(errors, []);
});

test('an example is drawn stroke by stroke, and ends where the visitor does something else', async () => {
  const { page, errors } = await suite.shared();
  const ink = (): Promise<number> =>
    page.$eval('#pad', (element) => {
      const pad = element as HTMLCanvasElement;
      const copy = new OffscreenCanvas(pad.width, pad.height).getContext('2d', {
        willReadFrequently: true,
      }) as OffscreenCanvasRenderingContext2D;
      copy.drawImage(pad, 0, 0);
      return copy.getImageData(0, 0, pad.width, pad.height).data.reduce((sum, value) => sum + Number(value < 128), 0);
    });
  await page.evaluate(() => {
    // From here on the screen's frames come one at a time, when the test asks for them.
    const frames: FrameRequestCallback[] = [];
    globalThis.requestAnimationFrame = (callback) => frames.push(callback);
    Object.assign(globalThis, { frames });
  });
  const show = (count: number): Promise<boolean> =>
    page.evaluate(async (last) => {
      const { frames } = globalThis as unknown as { frames: FrameRequestCallback[] };
      for (let frame = 0; frame < last; frame++) {
        frames.splice(0).forEach((callback) => callback(0));
        await new Promise((resolve) => setTimeout(resolve));
      }
      return frames.length > 0;
    }, count);
  const example = page.getByRole('button', { name: 'tent', exact: true });
  await example.click();
  const early = await ink();
  assert.ok(await show(30), 'half of it is to come');
  const half = await ink();
  assert.ok(half > early);
  assert.not.ok(await show(60));
  const whole = await ink();
  assert.ok(whole > half);
  await answered(page);
  // Each stroke can be undone.
  await page.click('#undo');
  assert.ok((await ink()) < whole);

  await page.click('#clear');
  await example.click();
  assert.ok(await show(30));
  await page.click('#clear');
  assert.not.ok(await show(60));
  assert.is(await ink(), 0, 'a cleared pad stays empty');
  assert.equal(errors, []);
});

test.run();

const focused = (page: Page): Promise<string> => page.evaluate(() => document.activeElement?.id ?? '');
