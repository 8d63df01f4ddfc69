// What the page tells of a training.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { onceInARun } from './run-folder.ts';

/** Steps of the training that suites disturb in their ways. */
export const STEPS = 24;
/** The classes that it is of. */
export const TRAINED_CLASSES = ['spoon', 'wrench', 'house'];

/** Begins that training in a page. @param classes the folder that has them */
export async function beginTraining(page: Page, classes: string): Promise<void> {
  await page.setInputFiles('#train-folder', classes);
  await page.selectOption('#train-preset', 'own');
  await page.fill('#train-steps', String(STEPS));
  await recordTraining(page);
  await page.click('#train-start');
}

/**
 * The checksum of the weights that this training ends with when nothing disturbs it: of the suite of this run that came
 * to it first.
 * @param train what this suite does where it is the first
 */
export async function undisturbedChecksum(train: () => Promise<string>): Promise<string> {
  const folder = await onceInARun('page-training', async (target) =>
    writeFile(path.join(target, 'checksum'), await train()),
  );
  return readFile(path.join(folder, 'checksum'), 'utf8');
}

/** Keeps what the page says of a training. */
export async function recordTraining(page: Page): Promise<void> {
  await page.evaluate(() => {
    const status = document.getElementById('train-status') as HTMLElement;
    const said: string[] = [];
    new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
    document.getElementById('train-start')?.addEventListener('click', () => (said.length = 0), { capture: true });
    Object.assign(globalThis, { said });
  });
}

/** Waits until the training has ended, and what it changed is shown. */
export async function ended(page: Page, how: 'Done' | 'Paused'): Promise<void> {
  await page.waitForFunction(
    (word) => document.getElementById('train-status')?.textContent?.startsWith(`${word} after`),
    how,
  );
  await page.waitForSelector('#comparison:not([hidden])');
}

export async function outcome(
  page: Page,
): Promise<{ checksum: string; stepsDone: number; losses: number[]; said: string[] }> {
  const said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
  const checksum = await page.getAttribute('#train-status', 'data-checksum');
  const losses = said.flatMap((text) => /^Step .* loss (\S+)/.exec(text)?.[1] ?? []).map(Number);
  const stepsDone = Number(/after (\d+) steps/.exec(await page.innerText('#train-status'))?.[1]);
  return { checksum: checksum ?? '', stepsDone, losses, said };
}
