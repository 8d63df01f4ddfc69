// Results follow the pen; the answer is that of the whole drawing; what is off the pad does not count; Clear can be
// undone.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Page } from 'playwright-core';
import { writeEmoji } from '../support/emoji-folder.ts';
import { draw, liftPen } from '../support/emoji-strokes.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered, found } from '../support/web-page.ts';

const suite = pageSuite({ prepare: (at) => writeEmoji('crescent moon', 'emojione-monotone', at('fast.png'), 64) });

test('what is drawn off the pad does not count, and Clear can be undone', async () => {
  const { page, errors } = await suite.shared();
  const inside = [
    { x: 0.2, y: 0.2 },
    { x: 0.8, y: 0.5 },
    { x: 0.8, y: 0.9 },
  ];
  const search = async (off: readonly { x: number; y: number }[]): Promise<string> => {
    await draw(page, [[...inside, ...off]]);
    await answered(page);
    const html = await shown(page);
    await page.click('#clear');
    await answered(page);
    return html;
  };
  const expected = await search([]);
  const edge = await search([{ x: 1, y: 0.9 }]);
  assert.is.not(edge, expected);
  // Right of the pad, below it, and back.
  assert.is(
    await search([
      { x: 1, y: 0.9 },
      { x: 1.7, y: 0.9 },
      { x: 1.7, y: 1.3 },
    ]),
    edge,
  );
  // Both ends of the last line are off the pad: it passes above it, from one side to the other.
  const above = [
    { x: 0.2, y: 0.2 },
    { x: 0.2, y: -0.1 },
    { x: 1.5, y: -0.1 },
  ];
  const upwards = [
    { x: 0.2, y: 0.2 },
    { x: 0.2, y: -0.1 },
  ];
  const pictures: number[][] = [];
  for (const stroke of [above, upwards]) {
    await draw(page, [inside, stroke]);
    await answered(page);
    pictures.push(await handedOver(page));
    await page.click('#clear');
    await answered(page);
  }
  // Chromium rounds the coverage of a pixel by the whole path, its parts off the canvas included: to one grey level.
  assert.is(pictures[0].length, pictures[1].length);
  assert.ok(pictures[0].every((level, place) => Math.abs(level - pictures[1][place]) <= 1));
  assert.ok(pictures[0].includes(0) && pictures[0].includes(255));

  await draw(page, [inside]);
  await answered(page);
  assert.is(await shown(page), expected);
  await page.setInputFiles('#query-file', suite.at('fast.png'));
  await page.waitForFunction((before) => document.getElementById('results')?.innerHTML !== before, expected);
  await answered(page);
  const picture = await shown(page);
  await page.click('#clear');
  await answered(page);
  assert.ok(await page.isDisabled('#clear'));
  // The clearing, the picture, the stroke.
  for (const after of [picture, expected]) {
    await page.click('#undo');
    await answered(page);
    assert.is(await shown(page), after);
  }
  await page.click('#undo');
  await answered(page);
  assert.equal(await found(page), []);
  assert.equal(errors, []);
});

test('results follow the pen, one search at a time, and the last answer is that of the whole drawing', async () => {
  const { page, errors } = await suite.open();
  const searches = await watchSearches(page);
  const pad = await page.locator('#pad').boundingBox();
  assert.ok(pad !== null);
  const move = (x: number, y: number): Promise<void> => page.mouse.move(pad.x + x * pad.width, pad.y + y * pad.height);
  const hold = (on: boolean): Promise<void> =>
    page.evaluate((value) => void Object.assign(globalThis, { holdSearches: value }), on);
  const circle = async (from: number, to: number): Promise<void> => {
    for (let step = from; step <= to; step++)
      await move(0.5 + 0.3 * Math.cos(step / 5), 0.5 + 0.3 * Math.sin(step / 5));
  };
  await move(0.8, 0.5);
  await page.mouse.down();
  await circle(0, 8);
  await page.waitForSelector('#results li:nth-child(20)');
  await answered(page);
  // The pen is still down.
  const early = await shown(page);
  assert.is(await page.getAttribute('#status', 'aria-live'), 'off');
  assert.not.ok(await page.isVisible('#invitation'));

  // An answer that takes long: the pen moves on, and is lifted, before it comes.
  await hold(true);
  await circle(9, 12);
  await page.waitForFunction(() => (globalThis as unknown as { heldSearches: unknown[] }).heldSearches.length === 1);
  await circle(13, 28);
  await liftPen(page);
  assert.is(await page.getAttribute('#results', 'aria-busy'), 'true');
  assert.is(await shown(page), early, 'nothing new meanwhile');
  await hold(false);
  await answered(page);
  assert.is(await page.getAttribute('#status', 'aria-live'), 'polite');
  const whole = await shown(page);
  assert.is.not(whole, early);
  const { most, count } = await searches();
  assert.is(most, 1, 'one at a time');
  assert.ok(count >= 3 && count < 29, `${count} searches for 29 places`);

  // Without any movement: the same drawing, taken back and drawn again.
  await page.click('#undo');
  await answered(page);
  assert.equal(await found(page), []);
  await page.click('#redo');
  await answered(page);
  assert.is(await shown(page), whole);
  assert.equal(errors, []);
  await page.context().close();
});

test.run();

/** The picture of the drawing that the pad hands over: its levels, RGBA. */
const handedOver = (page: Page): Promise<number[]> =>
  page.evaluate(() => [
    ...(globalThis as unknown as { sketchgradPad: { query(): { data: Uint8ClampedArray }[] } }).sketchgradPad.query()[0]
      .data,
  ]);
const shown = (page: Page): Promise<string> => page.locator('#results').innerHTML();

/**
 * Counts the calls of the worker's search from now on, and how many were under way at once; while `holdSearches` is
 * set, calls wait on their way.
 */
async function watchSearches(page: Page): Promise<() => Promise<{ most: number; count: number }>> {
  await page.evaluate(() => {
    const state = { underWay: new Set<unknown>(), most: 0, count: 0 };
    const held: (() => void)[] = [];
    const heard = new WeakSet<Worker>();
    const post = Worker.prototype.postMessage as (this: Worker, message: unknown, transfer: Transferable[]) => void;
    Worker.prototype.postMessage = function (this: Worker, message: unknown, transfer: unknown) {
      const send = (): void => post.call(this, message, transfer as Transferable[]);
      const { id, path } = message as { id?: unknown; path?: readonly string[] };
      if (path?.[0] !== 'search') return send();
      if (!heard.has(this))
        this.addEventListener('message', ({ data }: MessageEvent<{ id?: unknown }>) => state.underWay.delete(data.id));
      heard.add(this);
      state.underWay.add(id);
      // The page hears of an answer before this listener does, and may search again at once.
      setTimeout(() => (state.most = Math.max(state.most, state.underWay.size)));
      state.count++;
      if (!(globalThis as unknown as { holdSearches?: boolean }).holdSearches) return send();
      held.push(send);
      const release = setInterval(() => {
        if ((globalThis as unknown as { holdSearches?: boolean }).holdSearches) return;
        clearInterval(release);
        send();
      }, 10);
    };
    Object.assign(globalThis, { searchState: state, heldSearches: held });
  });
  return () =>
    page.evaluate(() => {
      const { most, count } = (globalThis as unknown as { searchState: { most: number; count: number } }).searchState;
      return { most, count };
    });
}
