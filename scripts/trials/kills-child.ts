/**
 * A training as far as its files go, for kills.ts: a run's folder with checkpoints, the best and the last model, and
 * numbers that depend on the step alone in place of a network. Goes on from the latest checkpoint; may be told to end
 * itself at a rename.
 *
 *   node kills-child.js FOLDER [before|after N]
 */
import { setTimeout as delay } from 'node:timers/promises';
import { latestCheckpoint, RunFolder } from '../../src/cli/files/run-folder.ts';
import { renameHooks } from '../../src/platform/node/files.ts';
import { LockError } from '../../src/platform/node/lock.ts';
import { modelChecksum, type ModelFile } from '../../src/models/model-file.ts';

const STEPS = 12;
const CHECKPOINT_EVERY = 2;
const VALIDATE_EVERY = 3;
/** Long enough that a kill after some time hits more than the beginning. */
const STEP_MILLISECONDS = 2;

const [folder, when, count] = process.argv.slice(2);
if (when === 'before' || when === 'after') {
  let left = Number(count);
  renameHooks[when] = () => {
    if (left-- === 0) process.kill(process.pid, 'SIGKILL');
  };
}

/** Goes up and down, so that the best is not the last. */
const measured = (step: number): number => Math.abs(Math.sin(2 * step));
const numbers = (step: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, index) => Math.cos(step + index));

async function stateAfter(step: number, best: { stepsDone: number; mapAll: number } | null): Promise<ModelFile> {
  const state = new Map([['embedding.weight', { shape: [64, 32], values: numbers(step, 2048) }]]);
  const moments = new Map([
    ['moment1', new Map([['embedding.weight', { shape: [64, 32], values: numbers(-step, 2048) }]])],
  ]);
  return {
    state,
    about: { kind: 'retrieval', best },
    checksum: await modelChecksum(state),
    moments,
    tables: new Map(),
    step,
  };
}

try {
  const run = await RunFolder.open(folder, { keep: 2, fresh: false });
  await run.prepare();
  process.stdout.write('running\n');
  const found = await latestCheckpoint(folder);
  const begun = found && (await run.repair(found.file)).file;
  let best = (begun?.about.best ?? null) as { stepsDone: number; mapAll: number } | null;
  let step = begun?.step ?? 0;
  // As trainRetrieval does where it is resumed at its end.
  if (step === STEPS) await run.save({ file: await stateAfter(step, best), best: false, last: true });
  while (step < STEPS) {
    await delay(STEP_MILLISECONDS);
    step++;
    run.log({ event: 'warning', step, kind: 'distances', message: 'a line of the log' } as unknown as Parameters<
      RunFolder['log']
    >[0]);
    const isBest = step % VALIDATE_EVERY === 0 && (best === null || measured(step) > best.mapAll);
    if (isBest) best = { stepsDone: step, mapAll: measured(step) };
    if (isBest || step % CHECKPOINT_EVERY === 0)
      await run.save({ file: await stateAfter(step, best), best: isBest, last: step === STEPS });
  }
  await run.release();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof LockError ? 3 : 1;
}
