// npx tsx scripts/web-screenshots.ts Draws on the page in Chromium and writes docs/web-desktop.png and
// docs/web-phone.png, each light and dark side by side.
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { launchChromium } from '../test/support/chromium.ts';
import { draw, emojiStrokes } from '../test/support/emoji-strokes.ts';
import { answered, openPage, ready, servePage } from '../test/support/web-page.ts';

const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

const site = await servePage();
const browser = await launchChromium();
try {
  for (const [name, viewport] of Object.entries(SIZES)) {
    const { page } = await openPage(browser, site.address, { viewport });
    await ready(page);
    await draw(page, await emojiStrokes(page, 'crescent moon', 'emojione-monotone'));
    await answered(page);
    await page.evaluate(() => scrollTo(0, 0));
    const pictures: Buffer[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      pictures.push(await page.screenshot());
    }
    await sharp({ create: { width: 2 * viewport.width, height: viewport.height, channels: 3, background: '#ffffff' } })
      .composite(pictures.map((input, index) => ({ input, left: index * viewport.width, top: 0 })))
      .png({ palette: true, compressionLevel: 9 })
      .toFile(fileURLToPath(new URL(`../docs/web-${name}.png`, import.meta.url)));
    await page.context().close();
  }
} finally {
  await browser.close();
  await site.close();
}
