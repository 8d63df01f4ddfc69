// A result enlarged, copied, searched with and drawn over; what is said where nothing is like the drawing.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { serializeModel } from '../../src/models/model-file.ts';
import { assertAccessible } from '../support/accessibility.ts';
import { draw } from '../support/emoji-strokes.ts';
import { readPageModel } from '../support/page-model.ts';
import { pageSuite } from '../support/page-suite.ts';
import { answered, found, type Answering } from '../support/web-page.ts';

let answers: Answering = () => false;
const suite = pageSuite({ answers: (name, response) => answers(name, response) });

const STROKES = [
  [
    { x: 0.2, y: 0.2 },
    { x: 0.8, y: 0.5 },
    { x: 0.5, y: 0.9 },
  ],
];

test('a result is shown large with its similarity, its name and picture are copied, and it is searched with', async () => {
  const { page, errors } = await suite.open({ permissions: ['clipboard-read', 'clipboard-write'] });
  const layout = (await (await fetch(`${suite.site.address}emoji.json`)).json()) as { tile: number };
  await draw(page, STROKES);
  await answered(page);
  const bySketch = await found(page);
  const third = page.locator('#results li:nth-child(3) button');
  const score = Number((await third.locator('.score').innerText()).trim());
  await third.focus();
  await page.keyboard.press('Enter');
  assert.is(await page.innerText('#picture-name'), bySketch[2]);
  assert.is(Number(/[-\d.]+\d/.exec(await page.innerText('#picture-similarity'))?.[0]).toFixed(2), score.toFixed(2));
  const [small, large] = await Promise.all(
    [third.locator('.thumbnail'), page.locator('#picture-large .thumbnail')].map((each) => each.boundingBox()),
  );
  assert.ok(small !== null && large !== null && large.width > 2 * small.width);
  await assertAccessible(page);

  await page.click('#copy-name');
  await page.waitForFunction(() => document.getElementById('picture-said')?.textContent === 'The name is copied.');
  assert.is(await page.evaluate(() => navigator.clipboard.readText()), bySketch[2]);
  await page.click('#copy-picture');
  await page.waitForFunction(() => document.getElementById('picture-said')?.textContent === 'The picture is copied.');
  const copied = await page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const { width, height } = await createImageBitmap(await item.getType('image/png'));
    return { width, height };
  });
  assert.equal(copied, { width: layout.tile, height: layout.tile });
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'));
  });
  await page.click('#copy-name');
  await page.waitForFunction(
    () => document.getElementById('picture-said')?.textContent === 'The name cannot be copied: not allowed',
  );
  await page.keyboard.press('Escape');
  assert.ok(await third.evaluate((button) => button === document.activeElement), 'the focus is back');

  // By its own embedding, which stands in the index.
  await third.click();
  await page.click('#picture-like');
  await answered(page);
  assert.is(await page.innerText('#status'), `More like ${bySketch[2]}`);
  const like = await found(page);
  assert.is(like.length, 20);
  assert.not.equal(like, bySketch);
  assert.is(await page.evaluate(() => document.activeElement?.id), 'back');
  // The picture itself is not among them, so no similarity is that of a picture to itself.
  const own = await page.evaluate(
    () => document.getElementById('picture-large')?.querySelector<HTMLElement>('.thumbnail')?.style.backgroundPosition,
  );
  assert.not.ok(
    (
      await page.$$eval('#results .thumbnail', (all) =>
        all.map((each) => (each as HTMLElement).style.backgroundPosition),
      )
    ).includes(own ?? ''),
  );
  await page.click('#back');
  await answered(page);
  assert.equal(await found(page), bySketch);

  // Drawn over: it lies faintly under the strokes, and is not searched for.
  const pad = (): Promise<string> =>
    page.evaluate(() => (document.getElementById('pad') as HTMLCanvasElement).toDataURL());
  const plain = await pad();
  await third.click();
  await page.click('#picture-trace');
  await page.waitForSelector('#untrace');
  assert.not.ok(await page.isVisible('#picture'));
  assert.is(await page.evaluate(() => document.activeElement?.id), 'pad');
  assert.match(await page.innerText('#pad-said'), `${bySketch[2]} is under the drawing`);
  assert.is.not(await pad(), plain);
  assert.equal(await found(page), bySketch);
  // Searched anew, with the picture under it.
  await page.click('#undo');
  await page.waitForSelector('#results:empty', { state: 'attached' });
  await page.click('#redo');
  await page.waitForSelector('#results li:nth-child(20)');
  assert.equal(await found(page), bySketch);
  await page.click('#untrace');
  assert.is(await pad(), plain);
  assert.is(await page.evaluate(() => document.activeElement?.id), 'pad');
  assert.not.ok(await page.isVisible('#untrace'));

  // From the whole collection, by keyboard, with an empty pad.
  await page.click('#clear');
  await page.click('#browse');
  await page.keyboard.press('Tab');
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowUp', 'ArrowLeft', 'End']) await page.keyboard.press(key);
  await page.keyboard.press('Enter');
  const last = await page.locator('#all-pictures bdi').last().textContent();
  assert.is(await page.innerText('#picture-name'), last);
  assert.is(await page.innerText('#picture-similarity'), '');
  await page.click('#picture-like');
  await answered(page);
  assert.is(await page.innerText('#status'), `More like ${last}`);
  assert.not.ok(await page.isVisible('#all'));
  assert.not.ok(await page.isVisible('#invitation'));
  // A drawing takes its place.
  await draw(page, STROKES);
  await answered(page);
  assert.equal(await found(page), bySketch);
  assert.not.ok(await page.isVisible('#back'));
  assert.equal(errors, []);
  await page.context().close();
});

test('where all similarities are below the model’s cut-off, the page says that nothing is like the drawing', async () => {
  const { state, about } = await readPageModel();
  for (const [nothing, isLike] of [
    [1, false],
    [-1, true],
  ] as const) {
    const model = await serializeModel({ state, about: { ...about, similarity: { nothing } } }, 'F16');
    answers = (name, response) => {
      if (name !== 'model.safetensors') return false;
      response
        .writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': model.length })
        .end(model);
      return true;
    };
    const { page, errors } = await suite.open();
    await draw(page, STROKES);
    await answered(page);
    assert.is((await found(page)).length, 20);
    assert.match(
      await page.innerText('#status'),
      isLike ? /^Nearest of \d+: / : /^There is nothing like this here\..*look through the collection/,
    );
    assert.is(await page.locator('#results li.below').count(), isLike ? 0 : 20);
    const opacity = await page
      .locator('#results .thumbnail')
      .first()
      .evaluate((each) => getComputedStyle(each).opacity);
    assert.is(opacity === '1', isLike);
    if (!isLike) await assertAccessible(page);
    assert.ok(await page.isVisible('#browse'));
    await page.click('#clear');
    await answered(page);
    assert.is(await page.innerText('#status'), 'Draw something.');
    assert.equal(errors, []);
    await page.context().close();
  }
  answers = () => false;
});

test.run();
