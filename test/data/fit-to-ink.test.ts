import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fitToInk, inkBounds, INK_MARGIN } from '../../src/data/fit-to-ink.ts';
import type { DecodedPicture } from '../../src/data/resample.ts';

/** White, with a black rectangle. */
function rectangle(
  width: number,
  height: number,
  [left, top, right, bottom]: readonly [number, number, number, number],
  channels: 3 | 4 = 3,
): DecodedPicture {
  const data = new Uint8Array(channels * width * height).fill(255);
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) data.fill(0, channels * (y * width + x), channels * (y * width + x) + 3);
  return { width, height, data };
}

test('the place of a drawing, and the white around it, change nothing', () => {
  const fitted = fitToInk(rectangle(100, 60, [3, 5, 23, 45]));
  for (const [picture, what] of [
    [rectangle(40, 300, [20, 260, 40, 300]), 'at the border'],
    [rectangle(20, 40, [0, 0, 20, 40]), 'without white'],
    [rectangle(77, 51, [31, 2, 51, 42], 4), 'RGBA'],
  ] as const)
    assert.equal(fitToInk(picture), fitted, what);
});

test('it stands in the middle of a square with the margin around it', () => {
  for (const [wide, high] of [
    [20, 40],
    [41, 7],
    [1, 1],
    [90, 90],
  ]) {
    const { width, height, data } = fitToInk(rectangle(128, 128, [10, 20, 10 + wide, 20 + high]))!;
    assert.is(width, height);
    const bounds = inkBounds(data as Uint8Array, width, height)!;
    assert.equal([bounds.right - bounds.left, bounds.bottom - bounds.top], [wide, high]);
    assert.ok(
      Math.abs(bounds.left - (width - bounds.right)) <= 1 && Math.abs(bounds.top - (height - bounds.bottom)) <= 1,
    );
    const long = Math.max(wide, high);
    assert.ok(width >= long / (1 - 2 * INK_MARGIN) && width <= long / (1 - 2 * INK_MARGIN) + 2, `${width} for ${long}`);
  }
});

test('ink is what is darker than paper in any color; noise and transparent black are none', () => {
  const picture = rectangle(9, 9, [0, 0, 0, 0]);
  assert.is(fitToInk(picture), undefined);
  const dot = (color: readonly number[]): DecodedPicture => ({
    ...picture,
    data: Uint8Array.from(picture.data, (level, at) => (Math.floor(at / 3) === 40 ? color[at % 3] : level)),
  });
  assert.is(fitToInk(dot([240, 240, 240])), undefined, 'noise');
  assert.equal(inkBounds(dot([255, 255, 0]).data as Uint8Array, 9, 9), { left: 4, top: 4, right: 5, bottom: 5 });
  assert.is(fitToInk({ width: 4, height: 4, data: new Uint8Array(64) }), undefined, 'transparent');
});

test.run();
