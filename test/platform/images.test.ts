import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  decodeImage,
  imageSize,
  ImageError,
  renderDrawing,
  requireDecodable,
  thumbnail,
} from '../../src/platform/node/images.ts';

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
  await writeFile(
    svg,
    '<svg xmlns="http://www.w3.org/2000/svg" width="32" height="8"><path fill="red" d="M0 0h16v8H0z"/></svg>',
  );
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
  await sharp(grey, { raw: { width: 16, height: 16, channels: 1 } })
    .withMetadata({ orientation: 3 })
    .jpeg({ quality: 100 })
    .toFile(path);
  const pixels = await decodeImage(path, 4);
  assert.is(pixels.length, 4 * 4 * 3);
  assert.ok(pixels[0] > 240 && pixels[1] > 240 && pixels[2] > 240, 'white is above now');
  assert.ok(pixels[45] < 16 && pixels[46] < 16 && pixels[47] < 16, 'black is below now');
});

test('16-bit and CMYK images come out as RGB u8', async () => {
  const deep = join(folder, 'deep.png');
  await sharp({ create: { width: 4, height: 4, channels: 3, background: '#ff8000' } })
    .toColourspace('rgb16')
    .png()
    .toFile(deep);
  assert.equal([...(await decodeImage(deep, 2)).subarray(0, 3)], [255, 128, 0]);
  const print = join(folder, 'print.jpg');
  await sharp({ create: { width: 8, height: 8, channels: 3, background: '#ffffff' } })
    .toColourspace('cmyk')
    .jpeg({ quality: 100 })
    .toFile(print);
  const white = await decodeImage(print, 2);
  assert.is(white.length, 12);
  assert.ok(white.every((value) => value > 245));
});

test('a file that cannot be decoded gives an ImageError with its path and the cause', async () => {
  const text = join(folder, 'text.png');
  await writeFile(text, 'this is no picture');
  const cut = join(folder, 'cut.png');
  const whole = await sharp({
    create: {
      width: 64,
      height: 64,
      channels: 3,
      background: '#123456',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
    .png()
    .toBuffer();
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

const star = (attributes: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" ${attributes}><path d="M12 2l3 7h7l-6 4 2 7-6-4-6 4 2-7-6-4h7z" stroke-width="1.5"/></svg>`;
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => assert.unreachable('it should have failed') as never,
    (error: Error) => error,
  );
const differences = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index])), 0);

test('an SVG has the same pixels whatever its nominal size, its encoding, and whoever decodes it', async () => {
  const expected = await decodeImage(Buffer.from(star('viewBox="0 0 24 24"')), 32);
  assert.ok(expected.some((value) => value < 64) && expected.some((value) => value === 255));
  const sizes = [
    'width="16" height="16"',
    'width="16000" height="16000"',
    'width="0.5" height="0.5"',
    'width="4mm" height="4mm"',
    'width="100%" height="100%"',
    'height="300"',
  ];
  for (const size of sizes) {
    const svg = Buffer.from(star(`${size} viewBox="0 0 24 24"`));
    const pixels = await decodeImage(svg, 32);
    // Densities are rounded, by which an edge moves a fraction of a pixel.
    assert.ok(differences(pixels, expected) <= 24, `${size}: ${differences(pixels, expected)}`);
    const { width, height } = await imageSize(svg, size);
    assert.ok(Math.abs(width - 512) <= 1 && Math.abs(height - 512) <= 1, `${size}: ${width} x ${height}`);
  }
  const text = star('width="20" height="10" viewBox="0 0 24 24"');
  const plain = await decodeImage(Buffer.from(text), 16);
  for (const bytes of [
    Buffer.from(`\uFEFF${text}`),
    Buffer.from(`\uFEFF${text}`, 'utf16le'),
    Buffer.from(`<?xml version="1.0" encoding="utf-16"?>${text}`, 'utf16le'),
    Buffer.from(` <!-- <svg> -->\n${text}`),
    gzipSync(text),
  ]) {
    assert.equal(await decodeImage(bytes, 16), plain);
  }
});

test('an SVG without any size is as large as CSS says, 300 x 150', async () => {
  for (const attributes of ['', 'width="100%" height="100%"', 'width="300"']) {
    const svg = Buffer.from(
      `<?xml version="1.0"?><!-- a comment --><svg xmlns="http://www.w3.org/2000/svg" ${attributes}><rect width="150" height="150"/></svg>`,
    );
    const { width, height } = await imageSize(svg, 'the picture');
    assert.equal([width, height], [512, 256]);
    const pixels = await decodeImage(svg, 8);
    assert.ok(pixels[0] < 8 && pixels[21] > 247, 'its left half is black');
  }
  assert.match(
    (
      await failure(
        decodeImage(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1e6" height="1e6"/>'), 8, 'vast.svg'),
      )
    ).message,
    /vast.svg .*nominal size is 1000000 pixels.*smaller width/,
  );
});

test('an SVG does not draw other files', async () => {
  const secret = join(folder, 'secret.png');
  await sharp({ create: { width: 8, height: 8, channels: 3, background: '#000000' } })
    .png()
    .toFile(secret);
  const svg = join(folder, 'curious.svg');
  await writeFile(
    svg,
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="8" height="8"><image xlink:href="secret.png" width="8" height="8"/></svg>',
  );
  assert.ok((await decodeImage(svg, 8)).every((value) => value === 255));
});

test('a drawing of our own is rendered at its own size', async () => {
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M0 0h4v8H0z"/></svg>');
  assert.equal(
    [...(await renderDrawing(svg, 8, 'a drawing')).subarray(0, 24)],
    [...new Array<number>(12).fill(0), ...new Array<number>(12).fill(255)],
  );
});

const noise = () =>
  sharp({
    create: {
      width: 96,
      height: 96,
      channels: 3,
      background: '#123456',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  });
for (const format of ['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const) {
  test(`${format} is read, and refused where it is cut off`, async () => {
    const whole = await noise().toFormat(format).toBuffer();
    assert.is((await decodeImage(whole, 8)).length, 192);
    for (const share of [0.4, 0.9]) {
      const cut = whole.subarray(0, Math.floor(share * whole.length));
      for (const decode of [
        () => decodeImage(cut, 8, 'cut'),
        () => requireDecodable(cut, 'cut'),
        () => thumbnail(cut, 8, 'cut'),
      ])
        assert.instance(await failure(decode()), ImageError, `${share}`);
    }
  });
}

test("a JPEG with invalid SOS parameters, as Samsung's phones write them, is read", async () => {
  const whole = await noise().jpeg().toBuffer();
  const scan = whole.indexOf(Buffer.from([0xff, 0xda]));
  const samsung = Buffer.from(whole);
  // The last three bytes of the header: spectral selection and approximation.
  samsung.set([0, 0, 0], scan + 2 + whole.readUInt16BE(scan + 2) - 3);
  assert.equal(await decodeImage(samsung, 16), await decodeImage(whole, 16));
  await requireDecodable(samsung, 'samsung.jpg');
  assert.instance(await failure(decodeImage(samsung.subarray(0, samsung.length * 0.6), 16, 'cut')), ImageError);
});

test('a picture with an extreme side is refused by its header', async () => {
  const tall = await sharp({ create: { width: 1, height: 70_000, channels: 3, background: '#ffffff' } })
    .png()
    .toBuffer();
  assert.match(
    (await failure(decodeImage(tall, 8, 'tall.png'))).message,
    /tall.png .* 1 x 70000 pixels; a side may have 65536/,
  );
});

test.run();
