// npx tsx scripts/record-icon-drawings.ts Draws the twenty drawings of test/web/icon-drawings.json with the mouse in
// the page, and records in test/web/icon-drawings-found.json which of them the page's model finds. Run it when the
// model was replaced; the drawings stay as they are.
import { writeFile } from 'node:fs/promises';
import { launchChromium } from '../test/support/chromium.ts';
import {
  chooseIcons,
  drawAndSearch,
  DRAWINGS_GOAL,
  FOUND_FILE,
  isRight,
  readDrawings,
  TOP,
  wordsFound,
  type FoundDrawings,
} from '../test/support/icon-drawings.ts';
import { readPageModel } from '../test/support/page-model.ts';
import { openPage, ready, servePage } from '../test/support/web-page.ts';

const site = await servePage();
const browser = await launchChromium();
const { page, errors } = await openPage(browser, site.address);
await ready(page);
await chooseIcons(page);
const drawings = await readDrawings();
const answers: (readonly string[])[] = [];
for (const drawing of drawings) {
  const { icons } = await drawAndSearch(page, drawing);
  answers.push(icons);
  const place = icons.findIndex((icon) => isRight(icon, drawing.nouns));
  console.log(
    `${drawing.word.padEnd(12)} ${place < 0 ? 'not among the results' : `place ${place + 1}, ${icons[place]}`}; first ${icons[0]}`,
  );
}
await browser.close();
await site.close();
if (errors.length > 0) throw new Error(errors.join('\n'));
const result: FoundDrawings = { model: (await readPageModel()).checksum, found: wordsFound(drawings, answers) };
await writeFile(FOUND_FILE, `${JSON.stringify(result, undefined, 2)}\n`);
console.log(`${result.found.length} of ${drawings.length} among the first ${TOP}; the goal is ${DRAWINGS_GOAL}`);
