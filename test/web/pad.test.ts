// The pad: eraser, undo, redo and several sketches by button and key, with what screen readers hear; and what a phone
// has in view.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Page } from 'playwright-core';
import { assertAccessible } from '../support/accessibility.ts';
import { draw } from '../support/emoji-strokes.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered } from '../support/web-page.ts';

const suite = pageSuite();

const LEFT = [
  { x: 0.2, y: 0.1 },
  { x: 0.2, y: 0.9 },
];
const RIGHT = [
  { x: 0.7, y: 0.2 },
  { x: 0.9, y: 0.8 },
];
const TOP = [
  { x: 0.4, y: 0.1 },
  { x: 0.6, y: 0.15 },
];

test('the eraser takes whole strokes, one gesture is one change, and undo and redo go through all changes', async () => {
  const { page, errors } = await suite.open();
  const answers: string[] = [];
  const remember = async (): Promise<void> => void answers.push(await shown(page));
  await remember();
  for (const stroke of [LEFT, RIGHT, TOP]) {
    await draw(page, [stroke]);
    await remember();
  }
  await page.focus('#pad');
  await page.keyboard.press('e');
  assert.is(await page.getAttribute('#eraser', 'aria-pressed'), 'true');
  assert.match(await said(page), /^Eraser.*On the pad: 3 strokes\.$/);
  // Across the two outer strokes, between two places where the pointer is seen.
  await draw(page, [
    [
      { x: 0.1, y: 0.5 },
      { x: 0.95, y: 0.5 },
    ],
  ]);
  await remember();
  assert.is(new Set(answers).size, 5, 'each state has another answer');
  // Where there is nothing, nothing changes.
  await draw(page, [
    [
      { x: 0.1, y: 0.9 },
      { x: 0.9, y: 0.95 },
    ],
  ]);
  assert.is(await shown(page), answers[4]);
  await page.click('#eraser');
  assert.is(await page.getAttribute('#eraser', 'aria-pressed'), 'false');

  await page.focus('#pad');
  const strokes = ['empty', '1 stroke', '2 strokes', '3 strokes', '1 stroke'];
  for (const state of [3, 2, 1, 0]) {
    await page.keyboard.press('Control+z');
    assert.is(await shown(page), answers[state], `undone to ${state}`);
    assert.is(await said(page), `Undone. On the pad: ${strokes[state]}.`);
  }
  assert.ok(await page.isDisabled('#undo'));
  for (const state of [1, 2, 3, 4]) {
    await page.keyboard.press(state % 2 === 0 ? 'Control+y' : 'Control+Shift+Z');
    assert.is(await shown(page), answers[state], `redone to ${state}`);
    assert.is(await said(page), `Redone. On the pad: ${strokes[state]}.`);
  }
  assert.ok(await page.isDisabled('#redo'));
  // By buttons; a button that ends its own use gives the focus to the pad.
  for (let count = 0; count < 4; count++) await page.click('#undo');
  assert.is(await page.evaluate(() => document.activeElement?.id), 'pad');
  await page.click('#redo');
  assert.is(await shown(page), answers[1]);
  // A new stroke ends what could be redone.
  await draw(page, [RIGHT]);
  assert.is(await shown(page), answers[2]);
  assert.ok(await page.isDisabled('#redo'));
  await page.focus('#pad');
  await page.keyboard.press('Delete');
  assert.is(await shown(page), '');
  assert.is(await said(page), 'Cleared. On the pad: empty.');

  // Several sketches search together, by keyboard alone.
  await draw(page, [LEFT]);
  assert.is(await shown(page), answers[1]);
  await page.focus('#add-sketch');
  await page.keyboard.press('Enter');
  assert.is(await page.evaluate(() => document.activeElement?.id), 'pad');
  assert.match(await said(page), /^Sketch 1 is kept\..*On the pad: empty\.$/);
  assert.is(await shown(page), answers[1], 'it is searched for still');
  assert.ok(await page.isDisabled('#add-sketch'));
  await draw(page, [TOP]);
  const together = await shown(page);
  assert.is.not(together, answers[1]);
  await assertAccessible(page);
  const thumbnail = page.getByRole('button', { name: 'Remove sketch 1' });
  await thumbnail.focus();
  await page.keyboard.press('Enter');
  assert.match(await said(page), /^Sketch 1 is removed; 0 kept\. On the pad: 1 stroke\.$/);
  assert.is(await page.evaluate(() => document.activeElement?.id), 'pad');
  const alone = await shown(page);
  assert.ok(alone !== together && alone !== answers[1], 'the drawing on the pad alone');
  assert.not.ok(await page.isVisible('#other-sketches'));
  await page.keyboard.press('Control+z');
  assert.is(await shown(page), together, 'undo brings the sketch back');
  await page.keyboard.press('Delete');
  assert.is(await shown(page), answers[1], 'the drawing alone is cleared');
  await thumbnail.click();
  assert.is(await shown(page), '');

  // Elsewhere the keys are those of the place.
  await page.fill('#class-name', 'tree');
  await page.press('#class-name', 'e');
  assert.is(await page.getAttribute('#eraser', 'aria-pressed'), 'false');
  assert.equal(errors, []);
  await page.context().close();
});

test('a phone shows the pad and the nearest pictures together', async () => {
  const { page, errors } = await suite.open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  for (const viewport of [
    { width: 390, height: 844 },
    { width: 360, height: 640 },
  ]) {
    await page.setViewportSize(viewport);
    await draw(page, [LEFT, RIGHT]);
    await answered(page);
    await page.evaluate(() => scrollTo(0, 0));
    for (const part of ['#pad', '#undo', '#status', '#results li:first-child']) {
      const box = await page.locator(part).boundingBox();
      assert.ok(
        box !== null && box.y >= 0 && box.y + box.height <= viewport.height,
        `${part} at ${JSON.stringify(box)} of ${viewport.height}`,
      );
    }
    // All results without scrolling down: sideways.
    await page.locator('#results li:last-child').scrollIntoViewIfNeeded();
    assert.is(await page.evaluate(() => scrollY), 0);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= viewport.width);
    await page.click('#clear');
  }
  assert.equal(errors, []);
  await page.context().close();
});

test.run();

async function shown(page: Page): Promise<string> {
  await answered(page);
  return page.locator('#results').innerHTML();
}

const said = (page: Page): Promise<string> => page.locator('#pad-said').innerText();
