import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readLargeFile, removeLeftovers, writeFileAtomically } from '../../src/platform/node/files.ts';

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-files-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const WRITER = fileURLToPath(new URL('./write-for-ever.ts', import.meta.url));

test('a file is made, and replaced, and nothing else is left', () =>
  inFolder(async (folder) => {
    const target = path.join(folder, 'checkpoint.safetensors');
    await writeFileAtomically(target, new Uint8Array([1, 2, 3]));
    await writeFileAtomically(target, new Uint8Array([4]));
    assert.equal([...(await readFile(target))], [4]);
    assert.equal(await readdir(folder), ['checkpoint.safetensors']);
  }));

test('a large file is read in pieces', () =>
  inFolder(async (folder) => {
    const file = path.join(folder, 'file');
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
    await writeFile(file, bytes);
    for (const piece of [1, 7, 999, 1000, 1001]) assert.equal(await readLargeFile(file, { pieceBytes: piece }), bytes);
  }));

test('a file that no array can hold is refused with its size', () =>
  inFolder(async (folder) => {
    const file = path.join(folder, 'sparse');
    await writeFile(file, '');
    await truncate(file, 2 ** 43);
    await readLargeFile(file).then(
      () => assert.unreachable(),
      (error: Error) =>
        assert.match(error.message, /sparse has 8192\.0 GiB, more than an array of this Node .* can hold/),
    );
  }));

test('writes of one file at the same time: one of them wins, whole', () =>
  inFolder(async (folder) => {
    const target = path.join(folder, 'file');
    await Promise.all([1, 2, 3, 4].map((value) => writeFileAtomically(target, new Uint8Array(100_000).fill(value))));
    assert.is(new Set(await readFile(target)).size, 1);
    assert.equal(await readdir(folder), ['file']);
  }));

test('a write that fails leaves the old content and no temporary file', () =>
  inFolder(async (folder) => {
    let code = '';
    await writeFileAtomically(path.join(folder, 'missing', 'file'), new Uint8Array(1)).catch(
      (error: NodeJS.ErrnoException) => (code = error.code ?? ''),
    );
    assert.is(code, 'ENOENT');
    // A folder in the target's place: the content is written, the rename fails.
    await writeFile(path.join(await mkdtemp(path.join(folder, 'taken-')), 'inside'), 'old');
    const [taken] = await readdir(folder);
    let failed = false;
    await writeFileAtomically(path.join(folder, taken), new Uint8Array(1)).catch(() => (failed = true));
    assert.ok(failed);
    assert.equal(await readdir(folder), [taken]);
    assert.equal(await readdir(path.join(folder, taken)), ['inside']);
  }));

test('leftovers are known by their name and their dead process; all else stays', () =>
  inFolder(async (folder) => {
    const dead = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(dead, 'exit');
    const leftover = `.last.safetensors.${dead.pid}-0123456789ab.partial`;
    const ours = `.last.safetensors.${process.pid}-0123456789ab.partial`;
    const others = [
      '.partial',
      'last.safetensors',
      `.last.${process.ppid}-0123456789ab.partial`,
      `.last.${dead.pid}-xyz.partial`,
      `last.${dead.pid}-0123456789ab.partial`,
    ];
    for (const name of [leftover, ours, ...others]) await writeFile(path.join(folder, name), '');
    assert.equal(
      await removeLeftovers(folder),
      [leftover, ours].sort(),
      "ours is not being written, so it is an earlier process's",
    );
    assert.equal((await readdir(folder)).sort(), others.sort());
    // What is being written now is not touched.
    const writing = writeFileAtomically(path.join(folder, 'file'), new Uint8Array(4_000_000));
    assert.equal(await removeLeftovers(folder), []);
    await writing;
  }));

test('killed in the middle of writing, again and again: the old content or the new, never a mixture', () =>
  inFolder(async (folder) => {
    const target = path.join(folder, 'file');
    const size = 16_000_000;
    let leftovers = 0;
    for (let round = 0; round < 5; round++) {
      const writer = spawn(process.execPath, ['--import', 'tsx', WRITER, target, String(size)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(writer.stdout, 'data');
      // A kill on sight of the temporary file comes while it is being filled, a later one while it is synced or
      // renamed.
      while (readdirSync(folder).length < 2);
      await sleep(2 * round);
      writer.kill('SIGKILL');
      await once(writer, 'exit');
      const content = await readFile(target);
      assert.is(content.length, size);
      assert.ok(
        content[0] !== 0 && content.equals(Buffer.alloc(size, content[0])),
        `the content is a mixture after kill ${round}`,
      );
      leftovers += (await removeLeftovers(folder)).length;
      assert.equal(await readdir(folder), ['file']);
    }
    assert.ok(leftovers > 0, 'no kill came in the middle of a write, so nothing was shown');
  }));

test.run();
