// A training in the tab whose GPU process ends, and that an error ends, reaches the same weights; its model outlives a
// reload.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Remote } from 'comlink';
import type { Page } from 'playwright-core';
import type { Engine } from '../../web/src/engine.ts';
import { writeEmojiFolder } from '../support/emoji-folder.ts';
import { beginTraining, ended, outcome, TRAINED_CLASSES, undisturbedChecksum } from '../support/page-training.ts';
import { pageSuite } from '../support/page-suite.ts';
import { ready } from '../support/web-page.ts';
import { SMALL_SIZE } from '../support/page-model.ts';

const suite = pageSuite({
  smallModel: true,
  prepare: async (at) => {
    await writeEmojiFolder(at('classes'), TRAINED_CLASSES);
  },
});

test('a training that loses the GPU process, and that an error ends, reaches the same weights, and the next visit can use them', async () => {
  const { page, errors } = await suite.open();
  // The browser's GPU process ends while pipelines compile; and behind the first checkpoint comes an error that is not
  // the loss of the device.
  await beginTraining(page, suite.at('classes'));
  await page.waitForFunction(() => /^Compiling/.test(document.getElementById('train-status')?.textContent ?? ''));
  const session = await suite.browser.newBrowserCDPSession();
  await session.send('Browser.crashGpuProcess');
  await page.waitForFunction(() => /^Step 1[2-9] /.test(document.getElementById('train-status')?.textContent ?? ''));
  await page.workers()[0].evaluate(() => {
    const { submit } = GPUQueue.prototype;
    GPUQueue.prototype.submit = () => {
      GPUQueue.prototype.submit = submit;
      throw new RangeError('out of memory, says the test');
    };
  });
  await page.waitForSelector('#trouble:not([hidden])');
  assert.match(await page.innerText('#trouble'), /not enough memory: out of memory, says the test/);
  assert.match(await page.innerText('#train-status'), /ended by an error. It can be resumed from step 10\.$/);
  const { said } = await outcome(page);
  assert.ok(
    said.some((text) => /device was lost. The training goes on from step 0/.test(text)),
    said.join('; '),
  );
  await page.click('#train-resume');
  await ended(page, 'Done');
  const { checksum } = await outcome(page);
  const undisturbed = await undisturbedChecksum(async () => {
    const { page: other } = await suite.open();
    await beginTraining(other, suite.at('classes'));
    await ended(other, 'Done');
    const found = (await outcome(other)).checksum;
    await other.context().close();
    return found;
  });
  assert.is(checksum, undisturbed);
  assert.ok(await page.isHidden('#trouble'));
  assert.ok(await page.isHidden('#train-resume'), 'a training that is done has nothing to go on with');
  // Chromium itself tells of the first.
  assert.equal(
    errors.filter((text) => !/external Instance reference no longer exists/.test(text)),
    [],
  );

  // The next visit, in a page of its own: where a page that has trained several times lost its GPU process, Chromium
  // 147 crashes the page when it is reloaded (docs/web.md).
  const visit = async (): Promise<Page> => {
    const next = await page.context().newPage();
    next.setDefaultTimeout(90_000);
    await next.goto(suite.site.address);
    await ready(next);
    return next;
  };
  const second = await visit();
  assert.match(await second.innerText('#kept-use'), /^Use the model trained on .*\d/);
  await second.click('#kept-use');
  await second.waitForSelector('#kept', { state: 'hidden' });
  assert.match(
    await second.$eval('#model', (select: HTMLSelectElement) => select.selectedOptions[0].text),
    new RegExp(`^\u2068Trained here on .* weights, ${SMALL_SIZE} px`),
  );
  const again = await second.evaluate(
    (trained) => (globalThis as unknown as { sketchgrad: Remote<Engine> }).sketchgrad.summary(trained),
    checksum,
  );
  assert.is(again.checksum, checksum);
  const third = await visit();
  await third.click('#kept-forget');
  assert.ok(await third.isHidden('#kept'));
  assert.ok(await (await visit()).isHidden('#kept'));
  await page.context().close();
});

test.run();
