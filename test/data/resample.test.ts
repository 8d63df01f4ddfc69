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
      data.set(inside ? [200, 30, 90, 255] : [(255 * x) / width, (255 * y) / height, 60, y % 64 < 32 ? 128 : 255], 4 * (y * width + x));
    }
  }
  return { width, height, data };
}

test('a picture of one colour keeps it at every size, and transparency is white', () => {
  for (const [width, height, size] of [[1, 1, 1], [1, 9, 4], [7, 5, 32], [300, 41, 13], [64, 64, 64]]) {
    const data = new Uint8Array(4 * width * height).map((_, i) => [12, 200, 99, 255][i % 4]);
    assert.equal([...new Set(stretchToSquare({ width, height, data }, size))].sort((a, b) => a - b), [12, 99, 200]);
    assert.ok(stretchToSquare({ width, height, data: new Uint8Array(4 * width * height) }, size).every((value) => value === 255));
  }
});

test('at its own size a picture is untouched', () => {
  const uniform = uniformNumbers(1);
  const data = new Uint8Array(4 * 17 * 17).map((_, i) => (i % 4 === 3 ? 255 : 128 + 127 * uniform()));
  const expected = data.filter((_, i) => i % 4 !== 3);
  assert.equal(stretchToSquare({ width: 17, height: 17, data }, 17), expected);
});

test('the same picture as Node\'s decoder makes, within a few grey levels where it shrinks', async () => {
  for (const [width, height, size] of [[200, 120, 32], [133, 90, 64], [640, 480, 224]]) {
    const { data } = picture(width, height);
    const node = await sharp(data, { raw: { width, height, channels: 4 } }).flatten({ background: '#ffffff' }).resize(size, size, { fit: 'fill' }).raw().toBuffer();
    const ours = stretchToSquare({ width, height, data }, size);
    const apart = ours.map((value, i) => Math.abs(value - node[i]));
    const mean = apart.reduce((sum, value) => sum + value, 0) / apart.length;
    const worst = apart.reduce((most, value) => Math.max(most, value), 0);
    // sharp rounds between its two passes and takes coarser weights; an edge amplifies both.
    assert.ok(mean < 0.5 && worst <= 6, `${width}x${height} to ${size}: ${mean} on average, at most ${worst}`);
  }
});

test('a size that does not fit its bytes is refused', () => {
  assert.throws(() => stretchToSquare({ width: 2, height: 2, data: new Uint8Array(15) }, 4), /2 x 2 pixels cannot have 15 bytes/);
});

test.run();
