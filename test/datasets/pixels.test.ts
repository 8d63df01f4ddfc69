// A file's pixels are the same wherever it is read: in training from class folders and from published sets, in an
// index, and in a search.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadFolder } from '../../datasets/folder.ts';
import { openPictures } from '../../datasets/pictures.ts';
import { embedFiles } from '../../src/cli/files/image-files.ts';
import { stretchToSquare } from '../../src/data/resample.ts';
import { decodeImage } from '../../src/platform/node/images.ts';

const SIZE = 32;
let root = '';
test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'sketchgrad-pixels-'));
});
test.after(() => rm(root, { recursive: true }));

/** Waves and edges, so that interpolations differ from each other by many gray levels. */
const drawn = (width: number, height: number): Sharp => {
  const pixels = Buffer.alloc(3 * width * height);
  for (let i = 0; i < pixels.length; i++) {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    pixels[i] = (x + y) % 7 < 3 ? 255 * (i % 2) : 128 + 120 * Math.sin((x * (1 + (i % 3)) + 2 * y) / 3);
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
};

const kinds: [name: string, make: (picture: Sharp) => Sharp][] = [
  ['4-2-0.jpg', (picture) => picture.jpeg({ chromaSubsampling: '4:2:0' })],
  ['4-4-4.jpg', (picture) => picture.jpeg({ chromaSubsampling: '4:4:4' })],
  ['turned.jpg', (picture) => picture.withMetadata({ orientation: 6 }).jpeg()],
  ['gray.jpg', (picture) => picture.grayscale().jpeg()],
  ['lossy.webp', (picture) => picture.webp({ quality: 60 })],
  ['plain.png', (picture) => picture.png()],
];
/** Enlarged, alike, shrunk, and shrunk by so much that libjpeg could decode at half or an eighth of the size. */
const sizes: [width: number, height: number][] = [
  [11, 7],
  [SIZE, SIZE],
  [90, 61],
  [640, 480],
];

test('training, embedding and searching see the pixels of one decoder and one stretch', async () => {
  const files: string[] = [];
  for (const domain of ['sketch', 'photo']) await mkdir(join(root, domain, 'cup'), { recursive: true });
  for (const [width, height] of sizes) {
    for (const [name, make] of kinds) {
      for (const domain of ['sketch', 'photo']) {
        const file = join(root, domain, 'cup', `${width}-${name}`);
        await make(drawn(width, height)).toFile(file);
        if (domain === 'photo') files.push(file);
      }
    }
  }
  const folder = await loadFolder({ root, size: SIZE, unseen: { fraction: 1 }, trainable: false });
  const pictures = files.map((name) => ({ domain: 'photo' as const, className: 'cup', name }));
  const kept = await openPictures(pictures, { size: SIZE, cacheFolder: join(root, 'cache') });
  const indexed = new Map<string, Uint8Array>();
  await embedFiles(
    {
      width: 1,
      compute: async (samples, images) => {
        for (const sample of samples) indexed.set(sample.name, await images.read(sample, SIZE));
        return new Float32Array(samples.length);
      },
      destroy: () => undefined,
    },
    files,
    { strict: true },
  );
  for (const picture of pictures) {
    const { data, info } = await sharp(picture.name)
      .autoOrient()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const expected = stretchToSquare({ width: info.width, height: info.height, data }, SIZE);
    assert.equal(await folder.images.read(picture, SIZE), expected, `${picture.name}: a folder of classes`);
    assert.equal(await kept.read(picture, SIZE), expected, `${picture.name}: a published set`);
    assert.equal(await kept.read(picture, SIZE), expected, `${picture.name}: a published set, from its cache`);
    assert.equal(indexed.get(picture.name), expected, `${picture.name}: an index`);
    assert.equal(
      await decodeImage(await readFile(picture.name), SIZE, 'the query'),
      expected,
      `${picture.name}: a query's bytes`,
    );
  }
  kept.close();
});

test.run();
