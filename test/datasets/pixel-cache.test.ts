import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cachedPixels } from '../../datasets/pixel-cache.ts';

const BYTES = 5;
const names = Array.from({ length: 70 }, (_, index) => `image ${index}`);
const image = (index: number) => new Uint8Array(BYTES).fill(index + 1);
let folder = '';
let rendered = 0;

const load = (onProgress?: (done: number, total: number) => void) =>
  cachedPixels({
    path: join(folder, 'deeper', 'pixels'),
    names,
    bytesPerImage: BYTES,
    render: async (index) => {
      rendered++;
      return image(index);
    },
    onProgress,
  });

const check = (pixels: Uint8Array) =>
  names.forEach((name, index) =>
    assert.equal([...pixels.subarray(index * BYTES, (index + 1) * BYTES)], [...image(index)], name),
  );

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sketchgrad-cache-'));
  rendered = 0;
});
test.after.each(() => rm(folder, { recursive: true }));

test('images are rendered once, in order, with progress', async () => {
  const progress: [number, number][] = [];
  check(await load((done, total) => progress.push([done, total])));
  assert.equal(progress, [
    [64, 70],
    [70, 70],
  ]);
  check(await load(() => assert.unreachable('the cache has the images')));
  assert.is(rendered, names.length);
  assert.equal((await readdir(join(folder, 'deeper'))).sort(), ['pixels.json', 'pixels.rgb']);
});

const damages: Record<string, (path: string) => Promise<void>> = {
  'a flipped byte': async (path) => {
    const pixels = await readFile(`${path}.rgb`);
    pixels[123] ^= 1;
    await writeFile(`${path}.rgb`, pixels);
  },
  'missing bytes': (path) => truncate(`${path}.rgb`, 100),
  'a missing index, as after a kill between the two writes': (path) => rm(`${path}.json`),
  'an index that is no JSON': (path) => writeFile(`${path}.json`, '{"names'),
};
for (const [damage, inflict] of Object.entries(damages)) {
  test(`the cache is rendered again after ${damage}`, async () => {
    await load();
    await inflict(join(folder, 'deeper', 'pixels'));
    check(await load());
    assert.is(rendered, 2 * names.length);
    check(await load());
    assert.is(rendered, 2 * names.length);
  });
}

test('a failed rendering leaves nothing behind', async () => {
  const failing = cachedPixels({
    path: join(folder, 'pixels'),
    names,
    bytesPerImage: BYTES,
    render: () => Promise.reject(new Error('no ink')),
  });
  await failing.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'no ink'),
  );
  assert.equal(await readdir(folder), []);
});

test.run();
