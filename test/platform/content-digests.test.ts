import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ContentDigests } from '../../src/platform/node/content-digests.ts';
import { ImageError } from '../../src/platform/node/images.ts';

test('contents are told apart, also at one size and one time, and remembered; a damaged memory is none', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-contents-'));
  try {
    const [cache, a, b] = ['cache', 'a.png', 'b.png'].map((name) => path.join(folder, name));
    const old = new Date('2020-01-01');
    const write = async (file: string, content: string): Promise<void> => {
      await writeFile(file, content);
      await utimes(file, old, old);
    };
    const digests = async (): Promise<string[]> => (await ContentDigests.open(folder, cache)).of([a, b, a]);
    await write(a, 'one');
    await write(b, 'two');
    const first = await digests();
    assert.match(first[0], /^3 [0-9a-f]{64}$/);
    assert.is(first[2], first[0]);
    assert.is.not(first[1], first[0]);
    assert.equal(await digests(), first);
    // The size and the time are as before.
    await write(a, 'eno');
    const second = await digests();
    assert.is.not(second[0], first[0]);
    assert.is(second[1], first[1]);

    const [memory] = await readdir(cache);
    for (const damaged of ['{', 'null', JSON.stringify({ [a]: 7, [b]: ['x'] })]) {
      await writeFile(path.join(cache, memory), damaged);
      assert.equal(await digests(), second);
    }
    // Where nothing can be remembered, contents are read each time.
    assert.equal(await (await ContentDigests.open(folder, path.join(a, 'no folder'))).of([a, b, a]), second);
    await rm(b);
    await digests().then(
      () => assert.unreachable(),
      (error: unknown) => assert.ok(error instanceof ImageError && error.message.includes(b)),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('progress is told where files are read, and not where all are remembered', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-contents-'));
  try {
    const cache = path.join(folder, 'cache');
    const files = Array.from({ length: 40 }, (_, index) => path.join(folder, `${index}.png`));
    const write = async (file: string, content: string): Promise<void> => {
      await writeFile(file, content);
      await utimes(file, new Date('2020-01-01'), new Date('2020-01-01'));
    };
    for (const file of files) await write(file, file);
    const told = async (asked: readonly string[]): Promise<[number, number][]> => {
      const calls: [number, number][] = [];
      await (await ContentDigests.open(folder, cache)).of(asked, (done, total) => calls.push([done, total]));
      return calls;
    };
    // A name that is there twice is one file.
    const first = await told([...files, files[3]]);
    assert.ok(first.length > 1, 'more than once');
    assert.equal(
      first.map(([, total]) => total),
      first.map(() => 40),
    );
    assert.ok(
      first.every(([done], index) => index === 0 || done > first[index - 1][0]),
      'it grows',
    );
    assert.is(first.at(-1)?.[0], 40);
    assert.equal(await told(files), []);
    await write(files[39], 'other');
    assert.equal(await told(files), [[40, 40]]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
