import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import * as assert from 'uvu/assert';
import type { AxeResults } from 'axe-core';

/**
 * Fails where axe-core knows a fault of the page as it stands, light or dark, on a desktop or a phone, or where a phone
 * would have to scroll sideways.
 */
export async function assertAccessible(page: Page): Promise<void> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, height] of [
      [1280, 900],
      [390, 844],
    ]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      assert.ok(
        (await page.evaluate(() => document.documentElement.scrollWidth)) <= width,
        `wider than ${width} pixels`,
      );
      const { violations, passes } = await page.evaluate(() =>
        (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
      );
      assert.ok(passes.some(({ id }) => id === 'color-contrast'));
      assert.equal(
        violations.map(
          ({ id, nodes }) => `${colorScheme}, ${width} px: ${id}: ${nodes.map(({ html }) => html).join(' ')}`,
        ),
        [],
      );
    }
  }
}
