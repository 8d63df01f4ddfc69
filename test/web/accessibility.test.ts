// What axe-core finds wrong with the page (labels, roles, contrast, WCAG 2.2 AA), light and dark, at both sizes.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertAccessible } from '../support/accessibility.ts';
import { draw } from '../support/emoji-strokes.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered } from '../support/web-page.ts';

const suite = pageSuite();

test('the page has no fault that axe-core knows', async () => {
  const { page, errors } = await suite.open();
  await draw(page, [
    [
      { x: 0.2, y: 0.2 },
      { x: 0.8, y: 0.8 },
    ],
  ]);
  await answered(page);
  await page.fill('#class-name', 'umbrella');
  await page.click('#class-form button');
  await assertAccessible(page);
  assert.equal(errors, []);
});

test.run();
