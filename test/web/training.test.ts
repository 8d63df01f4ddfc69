// Training in the tab: the loss falls, a pause and the loss of the device change nothing, and Node reads the
// checkpoint.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFile } from 'node:fs/promises';
import type { Remote } from 'comlink';
import { modelChecksum, parseModel } from '../../src/models/model-file.ts';
import type { Engine } from '../../web/src/engine.ts';
import { longestTask } from '../support/main-thread.ts';
import { writeEmojiFolder } from '../support/emoji-folder.ts';
import {
  beginTraining,
  ended,
  outcome,
  STEPS,
  TRAINED_CLASSES,
  undisturbedChecksum,
} from '../support/page-training.ts';
import { pageSuite } from '../support/page-suite.ts';

/** What a person sees as a stutter, in milliseconds. */
const LONGEST_TASK = 50;

const suite = pageSuite({
  smallModel: true,
  prepare: async (at) => {
    await writeEmojiFolder(at('classes'), TRAINED_CLASSES);
  },
});

test('a training lowers the loss; paused and resumed, or with its device lost, it ends at the same weights', async () => {
  const { page, errors } = await suite.open();
  const longest = await longestTask(suite.browser, page, async () => {
    await beginTraining(page, suite.at('classes'));
    await ended(page, 'Done');
  });
  const { checksum, losses } = await outcome(page);
  assert.is(losses.length, STEPS);
  assert.is(await undisturbedChecksum(() => Promise.resolve(checksum)), checksum, 'in another browser');
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [before, after] = [mean(losses.slice(0, 6)), mean(losses.slice(-6))];
  console.log(
    `loss: ${before.toFixed(3)} in the first six steps, ${after.toFixed(3)} in the last six; main thread: ${longest.milliseconds.toFixed(1)} ms in the longest of ${longest.tasks} tasks`,
  );
  assert.ok(after < 0.8 * before, `${before} fell to ${after} only`);
  assert.ok(longest.tasks > 0);
  assert.ok(longest.milliseconds < LONGEST_TASK, `${longest.milliseconds} ms in one task`);
  assert.is(await page.locator('#comparison-rows tr').count(), 3);
  assert.is(await page.locator('#comparison-rows td').count(), 6);
  assert.is(await page.locator('#curve canvas').count(), 1);

  const download = page.waitForEvent('download');
  await page.click('#train-save');
  const file = suite.at('checkpoint.safetensors');
  await (await download).saveAs(file);
  const saved = await parseModel(await readFile(file), file);
  assert.is(saved.checksum, checksum);
  assert.is(await modelChecksum(saved.state, saved.about), checksum);
  assert.is(saved.step, STEPS);

  // Paused in the middle.
  await page.selectOption('#model', { index: 0 });
  await page.click('#train-start');
  await page.waitForFunction(() => /^Step [3-9] /.test(document.getElementById('train-status')?.textContent ?? ''));
  await page.click('#train-pause');
  await ended(page, 'Paused');
  const paused = await outcome(page);
  assert.ok(paused.stepsDone > 0 && paused.stepsDone < STEPS);
  assert.is.not(paused.checksum, checksum);
  await page.click('#train-resume');
  await ended(page, 'Done');
  assert.is((await outcome(page)).checksum, checksum);

  // Its device lost in the middle, behind the first checkpoint.
  await page.selectOption('#model', { index: 0 });
  await page.click('#train-start');
  await page.waitForFunction(() => /^Step 1[2-9] /.test(document.getElementById('train-status')?.textContent ?? ''));
  await page.evaluate(() => (globalThis as unknown as { sketchgrad: Remote<Engine> }).sketchgrad.loseDevice());
  await ended(page, 'Done');
  const recovered = await outcome(page);
  assert.ok(
    recovered.said.some((text) => /device was lost. The training goes on from step [1-9]/.test(text)),
    recovered.said.join('; '),
  );
  assert.is(recovered.checksum, checksum);
  assert.equal(errors, []);
  await page.context().close();
});

test.run();
