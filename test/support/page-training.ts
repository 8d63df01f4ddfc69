// What the page tells of a training.
import type { Page } from 'playwright-core';

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
  await page.waitForFunction((word) => document.getElementById('train-status')?.textContent?.startsWith(`${word} after`), how);
  await page.waitForSelector('#comparison:not([hidden])');
}

export async function outcome(page: Page): Promise<{ checksum: string; stepsDone: number; losses: number[]; said: string[] }> {
  const said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
  const checksum = await page.getAttribute('#train-status', 'data-checksum');
  const losses = said.flatMap((text) => /^Step .* loss (\S+)/.exec(text)?.[1] ?? []).map(Number);
  const stepsDone = Number(/after (\d+) steps/.exec(await page.innerText('#train-status'))?.[1]);
  return { checksum: checksum ?? '', stepsDone, losses, said };
}
