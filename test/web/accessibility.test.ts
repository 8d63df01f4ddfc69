// What axe-core finds wrong with the page (labels, roles, contrast, WCAG 2.2 AA), light and dark, at both sizes.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertAccessible } from '../support/accessibility.ts';
import { launchChromium } from '../support/chromium.ts';
import { draw } from '../support/emoji-strokes.ts';
import { answered, openPage, ready, servePage } from '../support/web-page.ts';

test('the page has no fault that axe-core knows', async () => {
  const site = await servePage();
  const browser = await launchChromium();
  try {
    const { page, errors } = await openPage(browser, site.address);
    await ready(page);
    await draw(page, [[{ x: 0.2, y: 0.2 }, { x: 0.8, y: 0.8 }]]);
    await answered(page);
    await page.fill('#class-name', 'umbrella');
    await page.click('#class-form button');
    await assertAccessible(page);
    assert.equal(errors, []);
  } finally {
    await browser.close();
    await site.close();
  }
});

test.run();
