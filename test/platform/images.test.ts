import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeImage, ImageError } from '../../src/platform/node/images.ts';

let folder = '';
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sketchgrad-images-'));
});
test.after(() => rm(folder, { recursive: true }));

/** A picture whose left half is red and whose right half is see-through blue. */
const picture = (width: number, height: number) => {
  const pixels = Buffer.alloc(width * height * 4);
  for (let i = 0; i < width * height; i++) pixels.set(i % width < width / 2 ? [255, 0, 0, 255] : [0, 0, 255, 0], i * 4);
  return sharp(pixels, { raw: { width, height, channels: 4 } });
};

test('png, webp and svg are stretched to a square and laid on white', async () => {
  const png = join(folder, 'a.png');
  const webp = join(folder, 'a.webp');
  const svg = join(folder, 'a.svg');
  await picture(32, 8).png().toFile(png);
  await picture(32, 8).webp({ lossless: true }).toFile(webp);
  await writeFile(svg, '<svg xmlns="http://www.w3.org/2000/svg" width="32" height="8"><path fill="red" d="M0 0h16v8H0z"/></svg>');
  for (const path of [png, webp, svg]) {
    const pixels = await decodeImage(path, 8);
    assert.is(pixels.length, 8 * 8 * 3);
    for (const row of [0, 4, 7]) {
      assert.equal([...pixels.subarray(row * 24, row * 24 + 3)], [255, 0, 0], `${path} left`);
      assert.equal([...pixels.subarray(row * 24 + 21, row * 24 + 24)], [255, 255, 255], `${path} right`);
    }
  }
});

test('a grey jpeg with an orientation comes out upright, in three channels', async () => {
  const path = join(folder, 'grey.jpg');
  // Black above white, stored with the mark "turn by 180 degrees".
  const grey = Buffer.alloc(16 * 16, 0).fill(255, 8 * 16);
  await sharp(grey, { raw: { width: 16, height: 16, channels: 1 } }).withMetadata({ orientation: 3 }).jpeg({ quality: 100 }).toFile(path);
  const pixels = await decodeImage(path, 4);
  assert.is(pixels.length, 4 * 4 * 3);
  assert.ok(pixels[0] > 240 && pixels[1] > 240 && pixels[2] > 240, 'white is above now');
  assert.ok(pixels[45] < 16 && pixels[46] < 16 && pixels[47] < 16, 'black is below now');
});

test('16-bit and CMYK images come out as RGB u8', async () => {
  const deep = join(folder, 'deep.png');
  await sharp({ create: { width: 4, height: 4, channels: 3, background: '#ff8000' } }).toColourspace('rgb16').png().toFile(deep);
  assert.equal([...(await decodeImage(deep, 2)).subarray(0, 3)], [255, 128, 0]);
  const print = join(folder, 'print.jpg');
  await sharp({ create: { width: 8, height: 8, channels: 3, background: '#ffffff' } }).toColourspace('cmyk').jpeg({ quality: 100 }).toFile(print);
  const white = await decodeImage(print, 2);
  assert.is(white.length, 12);
  assert.ok(white.every((value) => value > 245));
});

test('a file that cannot be decoded gives an ImageError with its path and the cause', async () => {
  const text = join(folder, 'text.png');
  await writeFile(text, 'this is no picture');
  const cut = join(folder, 'cut.png');
  const whole = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#123456', noise: { type: 'gaussian', mean: 128, sigma: 30 } } }).png().toBuffer();
  await writeFile(cut, whole.subarray(0, whole.length / 2));
  for (const path of [text, cut, join(folder, 'absent.png')]) {
    await decodeImage(path, 8).then(
      () => assert.unreachable(path),
      (error: unknown) => {
        assert.instance(error, ImageError);
        assert.is((error as ImageError).path, path);
        assert.match((error as ImageError).message, /cannot be decoded: ./);
        assert.ok((error as ImageError).message.includes(path));
      },
    );
  }
});

test.run();
