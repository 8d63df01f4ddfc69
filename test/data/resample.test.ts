import { test } from 'uvu';
import * as assert from 'uvu/assert';
import sharp from 'sharp';
import { stretchToSquare } from '../../src/data/resample.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';

/** A picture of soft shapes and hard edges, partly transparent. */
function picture(width: number, height: number): { width: number; height: number; data: Uint8Array } {
  const data = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = (x / width - 0.4) ** 2 + (y / height - 0.5) ** 2 < 0.09;
      data.set(
        inside ? [200, 30, 90, 255] : [(255 * x) / width, (255 * y) / height, 60, y % 64 < 32 ? 128 : 255],
        4 * (y * width + x),
      );
    }
  }
  return { width, height, data };
}

test('a picture of one color keeps it at every size, and transparency is white', () => {
  for (const [width, height, size] of [
    [1, 1, 1],
    [1, 9, 4],
    [7, 5, 32],
    [300, 41, 13],
    [64, 64, 64],
  ]) {
    const data = new Uint8Array(4 * width * height).map((_, i) => [12, 200, 99, 255][i % 4]);
    assert.equal(
      [...new Set(stretchToSquare({ width, height, data }, size))].sort((a, b) => a - b),
      [12, 99, 200],
    );
    assert.ok(
      stretchToSquare({ width, height, data: new Uint8Array(4 * width * height) }, size).every(
        (value) => value === 255,
      ),
    );
  }
});

test('at its own size a picture is untouched', () => {
  const uniform = uniformNumbers(1);
  const data = new Uint8Array(4 * 17 * 17).map((_, i) => (i % 4 === 3 ? 255 : 128 + 127 * uniform()));
  const expected = data.filter((_, i) => i % 4 !== 3);
  assert.equal(stretchToSquare({ width: 17, height: 17, data }, 17), expected);
});

/** The picture on white by the formula, in float64, with one rounding at the end; borders repeat. */
function reference({ width, height, data }: ReturnType<typeof picture>, size: number): number[] {
  const lanczos = (x: number): number =>
    x === 0 ? 1 : Math.abs(x) < 3 ? (3 * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / 3)) / (Math.PI * x) ** 2 : 0;
  const filter = (source: number, index: number, value: (pixel: number) => number): number => {
    const scale = source / size;
    const center = (index + 0.5) * scale - 0.5;
    let [sum, weights] = [0, 0];
    for (
      let pixel = Math.floor(center - 3 * Math.max(1, scale));
      pixel <= center + 3 * Math.max(1, scale) + 1;
      pixel++
    ) {
      const weight = lanczos((pixel - center) / Math.max(1, scale));
      weights += weight;
      sum += weight * value(Math.max(0, Math.min(source - 1, pixel)));
    }
    return sum / weights;
  };
  return Array.from({ length: 3 * size * size }, (_, element) => {
    const [channel, x, y] = [element % 3, Math.floor(element / 3) % size, Math.floor(element / 3 / size)];
    const color = (column: number, row: number): number =>
      255 + ((data[4 * (row * width + column) + channel] - 255) * data[4 * (row * width + column) + 3]) / 255;
    return filter(height, y, (row) => filter(width, x, (column) => color(column, row)));
  });
}

test('Lanczos, up to the rounding of its integers, where it enlarges and where it shrinks', () => {
  for (const [width, height, size] of [
    [5, 9, 16],
    [37, 16, 16],
    [48, 31, 24],
    [1, 2, 3],
  ]) {
    const expected = reference(picture(width, height), size);
    const actual = stretchToSquare(picture(width, height), size);
    // Of each rounding, half a unit: of the picture on white and of the result 1, of the levels between the passes
    // 2^-6, each of the former grown by the weights' magnitudes, below 1.6 along an axis; and 255 times the rounding of
    // the weights themselves, half of 2^-14 each (their number along an axis), and all of these together once more at
    // the largest one.
    const weights = 7 * Math.max(1, Math.ceil(Math.max(width, height) / size));
    const bound = 0.5 * 1.6 ** 2 + 0.5 + 2 ** -6 * (1 + 1.6) + 1.6 * 2 * 255 * weights * 2 ** -14;
    actual.forEach((value, i) =>
      assert.ok(
        Math.abs(value - Math.max(0, Math.min(255, expected[i]))) <= bound,
        `${width}x${height} to ${size}, element ${i}: ${value} for ${expected[i]}`,
      ),
    );
  }
});

test('RGB is RGBA without transparency, and a view of bytes begins where it begins', () => {
  const { width, height, data } = picture(50, 40);
  const opaque = data.map((value, i) => (i % 4 === 3 ? 255 : value));
  const colors = opaque.filter((_, i) => i % 4 !== 3);
  const expected = stretchToSquare({ width, height, data: opaque }, 16);
  assert.equal(stretchToSquare({ width, height, data: colors }, 16), expected);
  const shifted = new Uint8Array(colors.length + 5);
  shifted.set(colors, 5);
  assert.equal(stretchToSquare({ width, height, data: shifted.subarray(5) }, 16), expected);
});

test('as sharp stretches, within a few gray levels where the picture shrinks, by much too', async () => {
  for (const [width, height, size] of [
    [200, 120, 32],
    [133, 90, 64],
    [640, 480, 224],
    [1201, 67, 32],
    [967, 1283, 32],
  ]) {
    const { data } = picture(width, height);
    const theirs = await sharp(data, { raw: { width, height, channels: 4 } })
      .flatten({ background: '#ffffff' })
      .resize(size, size, { fit: 'fill' })
      .raw()
      .toBuffer();
    const ours = stretchToSquare({ width, height, data }, size);
    const apart = ours.map((value, i) => Math.abs(value - theirs[i]));
    const mean = apart.reduce((sum, value) => sum + value, 0) / apart.length;
    const worst = apart.reduce((most, value) => Math.max(most, value), 0);
    // sharp lays on white rounding down, and rounds between its two passes; both begin with blocks where a picture
    // shrinks by much, of sizes of their own. An edge amplifies all of it.
    console.log(`${width}x${height} to ${size}: ${mean.toFixed(2)} gray levels on average, at most ${worst}`);
    assert.ok(mean < 0.5 && worst <= 4, `${width}x${height} to ${size}: ${mean} on average, at most ${worst}`);
  }
});

test('a size that does not fit its bytes is refused', () => {
  assert.throws(
    () => stretchToSquare({ width: 2, height: 2, data: new Uint8Array(15) }, 4),
    /2 x 2 pixels cannot have 15 bytes/,
  );
});

test.run();
