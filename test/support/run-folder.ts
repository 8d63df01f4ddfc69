// What the suites of one run of the tests share on disk.
import { mkdirSync, rmSync } from 'node:fs';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A folder of this run; scripts/test.ts deletes it. A suite that is run by itself has one of its own. */
export function runFolder(): string {
  const shared = process.env.SKETCHGRAD_TEST_RUN;
  if (shared !== undefined) return shared;
  const own = path.join(tmpdir(), `sketchgrad-tests-${process.pid}`);
  mkdirSync(own, { recursive: true });
  process.once('exit', () => rmSync(own, { recursive: true, force: true }));
  return own;
}

const MOST_MILLISECONDS = 180_000;

/**
 * Makes something in a folder once, however many processes ask for it; the others wait.
 * @returns the folder
 */
export async function onceInARun(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = path.join(runFolder(), name);
  const unfinished = `${folder}.unfinished`;
  const exists = (file: string): Promise<boolean> =>
    access(file).then(
      () => true,
      () => false,
    );
  for (const start = performance.now(); performance.now() - start < MOST_MILLISECONDS;) {
    if (await exists(folder)) return folder;
    try {
      await mkdir(unfinished);
    } catch {
      // Another process is at it. Should it fail, its folder goes, and this one tries.
      await delay(100);
      continue;
    }
    try {
      await make(unfinished);
      await rename(unfinished, folder);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw error;
    }
  }
  throw new Error(
    `${unfinished} is left by a process that was killed, or its maker takes more than ${MOST_MILLISECONDS / 1000} s`,
  );
}
