// What axe-core finds wrong with the page (labels, roles, contrast, WCAG 2.2 AA), light and dark, at both sizes.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { launchChromium } from '../support/chromium.ts';
import { draw } from '../support/emoji-strokes.ts';
import { answered, openPage, ready, servePage } from '../support/web-page.ts';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

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
    await page.addScriptTag({ path: axe });
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const [width, height] of [[1280, 900], [390, 844]]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height });
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `wider than ${width} pixels`);
        const { violations, passes } = await page.evaluate(() => (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
        assert.ok(passes.some(({ id }) => id === 'color-contrast'));
        assert.equal(violations.map(({ id, nodes }) => `${colorScheme}, ${width} px: ${id}: ${nodes.map(({ html }) => html).join(' ')}`), []);
      }
    }
    assert.equal(errors, []);
  } finally {
    await browser.close();
    await site.close();
  }
});

test.run();
