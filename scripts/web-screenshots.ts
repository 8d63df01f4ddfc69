// npx tsx scripts/web-screenshots.ts Draws on the page in Chromium and writes docs/web-desktop.png and
// docs/web-phone.png, each light and dark side by side. What is drawn is not chosen by hand: the first unseen class in the
// order of their names that a set of sketches has.
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { emojiClasses } from '../datasets/emoji.ts';
import { launchChromium } from '../test/support/chromium.ts';
import { draw, emojiStrokes } from '../test/support/emoji-strokes.ts';
import { answered, openPage, ready, servePage } from '../test/support/web-page.ts';

const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

const SET = 'emojione-monotone';
const [drawn] = (await emojiClasses())
  .filter(({ split, icons }) => split === 'unseen' && icons[SET] !== undefined)
  .map(({ name }) => name)
  .sort();

const site = await servePage();
const browser = await launchChromium();
try {
  for (const [name, viewport] of Object.entries(SIZES)) {
    const { page } = await openPage(browser, site.address, { viewport });
    await ready(page);
    await draw(page, await emojiStrokes(page, drawn, SET));
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
