import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PixelFile, PixelFileError } from '../../datasets/pixel-file.ts';

const test = suite('pixel file');
const BYTES = 48;
let folder = '';
let decoded: number[] = [];
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sketchgrad-pixels-'));
  decoded = [];
});
test.after.each(() => rm(folder, { recursive: true }));

const path = (): string => join(folder, 'deep', 'a.pixels');
const pixelsOf = (index: number): Uint8Array =>
  Uint8Array.from({ length: BYTES }, (_, byte) => (index * 31 + byte) % 256);
const read = (file: PixelFile, index: number, stamp = 'then'): Promise<Uint8Array> =>
  file.read(index, stamp, async () => {
    decoded.push(index);
    return pixelsOf(index);
  });
/** Opens the file, as another process would. */
async function reading(use: (file: PixelFile) => Promise<void>): Promise<number[]> {
  const before = decoded.length;
  const file = await PixelFile.open({ path: path(), bytesPerImage: BYTES });
  try {
    await use(file);
  } finally {
    file.close();
  }
  return decoded.slice(before);
}

test('an image is decoded once, in whatever order, also by later processes', async () => {
  const all = async (file: PixelFile, indices: readonly number[]): Promise<void> => {
    for (const index of indices) assert.equal(await read(file, index), pixelsOf(index));
  };
  assert.equal(await reading((file) => all(file, [3, 0, 3, 7, 0])), [3, 0, 7]);
  assert.equal(await reading((file) => all(file, [0, 1, 7, 3])), [1]);
});

test('two that write at once do each other no harm', async () => {
  await reading((one) =>
    reading(async (other) => {
      const indices = Array.from({ length: 40 }, (_, index) => index % 8);
      const results = await Promise.all(indices.map((index, turn) => read(turn % 2 === 0 ? one : other, index)));
      results.forEach((pixels, turn) => assert.equal(pixels, pixelsOf(indices[turn])));
    }).then(() => undefined),
  );
  assert.equal(
    await reading(async (file) => {
      for (let index = 0; index < 8; index++) await read(file, index);
    }),
    [],
  );
});

test('a damaged, half-written or outdated image is decoded again', async () => {
  await reading(async (file) => {
    for (let index = 0; index < 4; index++) await read(file, index);
  });
  const bytes = await readFile(path());
  bytes[32 + BYTES + 32 + 5] ^= 1;
  await writeFile(path(), bytes);
  await truncate(path(), bytes.length - 7);
  const again = async (stamp?: string): Promise<number[]> =>
    reading(async (file) => {
      for (let index = 0; index < 4; index++) assert.equal(await read(file, index, stamp), pixelsOf(index));
    });
  assert.equal(await again(), [1, 3]);
  assert.equal(await again(), []);
  assert.equal(await again('now'), [0, 1, 2, 3]);
});

test('what the decoder throws is passed on, and nothing is kept', async () => {
  await reading(async (file) => {
    const error = await file.read(0, 'then', () => Promise.reject(new Error('damaged'))).catch((cause: Error) => cause);
    assert.match((error as Error).message, /damaged/);
    assert.equal(await read(file, 0), pixelsOf(0));
  });
});

test('a file that cannot be made is an error that says what to do', async () => {
  await writeFile(join(folder, 'file'), '');
  const error = await PixelFile.open({ path: join(folder, 'file', 'a.pixels'), bytesPerImage: BYTES }).catch(
    (cause: Error) => cause,
  );
  assert.instance(error, PixelFileError);
  assert.match((error as Error).message, /set XDG_CACHE_HOME to another folder/);
});

test('where the disk is full, images are decoded and not kept, which is told once', async () => {
  // A device that takes no byte; elsewhere than on Linux there is none, and nothing to show it with.
  if (process.platform !== 'linux') return;
  const causes: Error[] = [];
  const file = await PixelFile.open({ path: '/dev/full', bytesPerImage: BYTES, onFull: (cause) => causes.push(cause) });
  for (const index of [0, 1, 0]) assert.equal(await read(file, index), pixelsOf(index));
  file.close();
  assert.equal(decoded, [0, 1, 0]);
  assert.equal(
    causes.map((cause) => (cause as NodeJS.ErrnoException).code),
    ['ENOSPC'],
  );
});

test('the space for a set is known beforehand', () => {
  assert.is(PixelFile.bytesFor(10, BYTES), 10 * (32 + BYTES));
});

test.run();
