// The folder of a run: stopped at every rename, locked, repaired, and what is offered where a checkpoint is damaged.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { findResumable, latestCheckpoint, RunFolder } from '../../src/cli/files/run-folder.ts';
import { OptionError } from '../../src/cli/options/option.ts';
import { FileWriteError, renameHooks, writeFileAtomically } from '../../src/platform/node/files.ts';
import { Lock, LockError } from '../../src/platform/node/lock.ts';
import { modelChecksum, type ModelFile } from '../../src/models/model-file.ts';
import { runKills } from '../../scripts/trials/kills.ts';

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-run-'));
  try {
    await body(folder);
  } finally {
    delete renameHooks.before;
    delete renameHooks.after;
    await rm(folder, { recursive: true, force: true });
  }
}

type Best = { readonly stepsDone: number; readonly mapAll: number } | null;

async function stateAfter(step: number, best: Best): Promise<ModelFile> {
  const state = new Map([['embedding.weight', { shape: [2], values: Float32Array.of(step, 1) }]]);
  return { state, about: { best }, checksum: await modelChecksum(state), moments: new Map(), tables: new Map(), step };
}

/** Goes on with a run of four steps: the second is the best, each leaves a checkpoint. */
async function run(folder: string): Promise<string | undefined> {
  const opened = await RunFolder.open(folder, { keep: 2, fresh: false });
  await opened.prepare();
  try {
    const found = await latestCheckpoint(folder);
    const repaired = found && (await opened.repair(found.file));
    let best = (repaired?.file.about.best ?? null) as Best;
    const begin = repaired?.file.step ?? 0;
    if (begin === 4) await opened.save({ file: await stateAfter(4, best), best: false, last: true });
    for (let step = begin + 1; step <= 4; step++) {
      if (step === 2) best = { stepsDone: 2, mapAll: 0.5 };
      await opened.save({ file: await stateAfter(step, best), best: step === 2, last: step === 4 });
    }
    return repaired?.note;
  } finally {
    await opened.release();
  }
}

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(path.join(folder, name))).toString('base64')] as const),
    ),
  );
}

test('stopped right before or after any rename, a run that goes on leaves the files of one that was not', () =>
  inFolder(async (folder) => {
    await run(path.join(folder, 'undisturbed'));
    const expected = await contents(path.join(folder, 'undisturbed'));
    assert.equal(Object.keys(expected), [
      'best.safetensors',
      'checkpoint-00000003.safetensors',
      'checkpoint-00000004.safetensors',
      'model.safetensors',
    ]);
    for (const when of ['before', 'after'] as const) {
      for (let place = 0; place < 6; place++) {
        const name = path.join(folder, `${when}-${place}`);
        let left = place;
        renameHooks[when] = () => {
          if (left-- === 0) throw new Error('stopped here');
        };
        await run(name).then(
          () => assert.unreachable(),
          (error: Error) => assert.is(error.message, 'stopped here'),
        );
        delete renameHooks[when];
        await run(name);
        assert.equal(await contents(name), expected, `${when} rename ${place}`);
      }
    }
  }));

test('killed 12 times, at renames and in between: nothing is lost, no lock stays', async () => {
  const { kills, failures } = await runKills(12, 1);
  assert.is(kills, 12);
  assert.equal(failures, []);
});

test('what a checkpoint vouches for is written again on resume; what is lost is said', () =>
  inFolder(async (folder) => {
    await run(folder);
    const expected = await contents(folder);
    // As earlier versions, killed between two files, left it: the checkpoint of the best is there, the best is not.
    const opened = await RunFolder.open(folder, { keep: 3, fresh: false });
    await rm(path.join(folder, 'best.safetensors'));
    await rm(path.join(folder, 'model.safetensors'));
    const best = { stepsDone: 2, mapAll: 0.5 };
    await opened.save({ file: await stateAfter(2, best), best: false, last: false });
    assert.match((await run(folder)) ?? '', /best.safetensors was missing or damaged, and is written again, of step 2/);
    assert.equal(await contents(folder), expected);
    // Damaged, and its checkpoint is gone.
    await truncate(path.join(folder, 'best.safetensors'), 100);
    assert.match(
      (await run(folder)) ?? '',
      /of step 2, is missing or damaged and cannot be made again; the next validation gives a new one/,
    );
  }));

test('a damaged latest checkpoint names the sound one before it', () =>
  inFolder(async (folder) => {
    await run(folder);
    const latest = path.join(folder, 'checkpoint-00000004.safetensors');
    const bytes = await readFile(latest);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(latest, bytes);
    const error = await findResumable(folder).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    assert.instance(error, OptionError);
    assert.match(
      error!.message,
      /checkpoint-00000004.safetensors: its digest is of other bytes.*of step 3, is sound: continue from there with --resume .*checkpoint-00000003.safetensors/s,
    );
    // Going on from there, a checkpoint that is kept is none of the damaged ones.
    const opened = await RunFolder.open(folder, { keep: 1, fresh: false });
    await opened.save({ file: await stateAfter(3, null), best: false, last: false });
    assert.ok((await readdir(folder)).includes('checkpoint-00000003.safetensors'));
    await rm(path.join(folder, 'checkpoint-00000003.safetensors'));
    assert.match(
      await findResumable(folder).then(
        () => '',
        (reason: Error) => reason.message,
      ),
      /holds no other sound checkpoint/,
    );
  }));

test('two runs do not share a folder; a lock of a process that is gone is taken over', () =>
  inFolder(async (folder) => {
    const first = await RunFolder.open(folder, { keep: 2, fresh: true });
    await first.prepare();
    const second = await RunFolder.open(folder, { keep: 2, fresh: true });
    const refused = async (attempt: Promise<unknown>): Promise<string> =>
      attempt.then(
        () => assert.unreachable() as never,
        (error: unknown) => {
          assert.instance(error, LockError);
          return (error as Error).message;
        },
      );
    assert.match(
      await refused(second.prepare()),
      new RegExp(`is in use by process ${process.pid}, since .*delete .*run.lock`),
    );
    await first.release();
    await second.prepare();

    // A lock that somebody else took is noticed before anything is written.
    const lock = path.join(folder, 'run.lock');
    const own = await readFile(lock, 'utf8');
    await writeFile(lock, own.replace(/"token":"\w+"/, '"token":"another"'));
    assert.match(
      await refused(second.save({ file: await stateAfter(1, null), best: false, last: false })),
      /is not this process's any more/,
    );
    await second.release();
    assert.ok((await readdir(folder)).includes('run.lock'), "another's lock is not deleted");

    const dead = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(dead, 'exit');
    const holder = { ...(JSON.parse(own) as Record<string, unknown>), token: 'x' };
    for (const [what, content] of [
      ['a dead process', { ...holder, pid: dead.pid }],
      ['a process with the number of one that runs', { ...holder, pid: process.ppid, started: '1' }],
      ['a process before the machine was started again', { ...holder, pid: process.ppid, boot: 'another' }],
      ['an earlier process with our number', { ...holder }],
      ['nobody', 'half a lo'],
    ] as const) {
      await writeFile(lock, JSON.stringify(content));
      const taken = await Lock.take(lock).catch(
        (error: Error) => assert.unreachable(`${what}: ${error.message}`) as never,
      );
      await taken.release();
    }
    await writeFile(lock, JSON.stringify({ ...holder, host: `not-${hostname()}` }));
    assert.match(await refused(Lock.take(lock)), /on not-/);
  }));

test('of locks that are wanted at once, one is had', () =>
  inFolder(async (folder) => {
    const lock = path.join(folder, 'lock');
    await writeFile(lock, '{}');
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => Lock.take(lock)));
    assert.is(taken.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal(await readdir(folder), ['lock']);
  }));

test('a folder of a run that was killed before its first checkpoint is free, and tells its options', () =>
  inFolder(async (folder) => {
    const killed = await RunFolder.open(folder, { keep: 2, fresh: true });
    await killed.prepare();
    killed.log({ event: 'options', options: { seed: 3 } });
    await killed.release();
    await writeFile(
      path.join(folder, 'log.jsonl'),
      `${await readFile(path.join(folder, 'log.jsonl'), 'utf8')}{"event":"st`,
    );
    assert.equal(await findResumable(folder), { options: { seed: 3 }, folder });
    const again = await RunFolder.open(folder, { keep: 2, fresh: true });
    await again.prepare();
    await again.release();
    await run(folder);
    assert.match(
      await RunFolder.open(folder, { keep: 2, fresh: true }).then(
        () => '',
        (error: Error) => error.message,
      ),
      /holds a run already/,
    );
  }));

test('a full disk names the file', () =>
  inFolder(async (folder) => {
    const target = path.join(folder, 'file');
    renameHooks.before = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    };
    const error = await writeFileAtomically(target, new Uint8Array(3)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.instance(error, FileWriteError);
    assert.is(
      (error as Error).message,
      `${target} cannot be written: the disk is full (ENOSPC); make room, or give a folder on another disk`,
    );
    assert.equal(await readdir(folder), []);
  }));

test.run();
