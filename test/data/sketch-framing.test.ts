import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fitToInk } from '../../src/data/fit-to-ink.ts';
import { stretchToSquare, type DecodedPicture } from '../../src/data/resample.ts';
import { fitSketch, sketchSquare } from '../../src/data/sketch-framing.ts';

const SIZE = 16;

/** A white sheet with a ring and a diagonal of ink in a rectangle of it. */
function drawing(
  width: number,
  height: number,
  [left, top, right, bottom]: readonly [number, number, number, number],
  channels: 3 | 4 = 3,
): DecodedPicture {
  const data = new Uint8Array(channels * width * height).fill(255);
  const ink = (x: number, y: number): unknown =>
    data.fill(0, channels * (y * width + x), channels * (y * width + x) + 3);
  for (let x = left; x < right; x++)
    [top, bottom - 1, top + Math.floor(((x - left) * (bottom - top)) / (right - left))].forEach((y) => ink(x, y));
  for (let y = top; y < bottom; y++) [left, right - 1].forEach((x) => ink(x, y));
  return { width, height, data };
}

test('fitted: the size of the sheet and the place of the drawing on it change nothing', () => {
  const expected = stretchToSquare(fitToInk(drawing(200, 200, [80, 70, 120, 100]))!, SIZE);
  for (const picture of [
    drawing(200, 200, [2, 3, 42, 33]),
    drawing(300, 120, [250, 80, 290, 110], 4),
    // Cut by hand: it is no square, and keeps its proportions.
    drawing(40, 30, [0, 0, 40, 30]),
  ])
    assert.equal(sketchSquare(picture, SIZE, 'fitted'), expected, `${picture.width} x ${picture.height}`);
});

test('fitted: a drawing that fills its square sheet is left as it is', () => {
  for (const bounds of [
    [0, 0, 100, 100],
    [3, 5, 97, 98],
    [6, 30, 94, 70],
    [40, 5, 55, 95],
  ] as const) {
    const picture = drawing(100, 100, bounds);
    assert.is(fitSketch(picture), picture, `${bounds.join(' ')}`);
    assert.equal(sketchSquare(picture, SIZE, 'fitted'), stretchToSquare(picture, SIZE));
  }
  for (const [bounds, what] of [
    [[7, 7, 94, 94], 'a little smaller'],
    [[0, 0, 100, 60], 'in the upper half'],
  ] as const) {
    const picture = drawing(100, 100, bounds);
    assert.is(
      Buffer.compare(sketchSquare(picture, SIZE, 'fitted'), stretchToSquare(fitToInk(picture)!, SIZE)),
      0,
      what,
    );
    assert.is.not(fitSketch(picture), picture);
  }
});

test('fitted: a blank sheet, a photo and a drawing on black are left as they are', () => {
  const blank = drawing(30, 20, [0, 0, 0, 0]);
  const photo = { width: 30, height: 20, data: Uint8Array.from({ length: 3 * 30 * 20 }, (_, at) => (at * 37) % 200) };
  const negative = { ...blank, data: drawing(30, 20, [5, 5, 20, 15]).data.map((level) => 255 - level) };
  const clear = { width: 5, height: 7, data: new Uint8Array(4 * 5 * 7) };
  for (const picture of [blank, photo, negative, clear, { width: 1, height: 1, data: new Uint8Array(3) }]) {
    assert.is(fitSketch(picture), picture);
    assert.equal(sketchSquare(picture, SIZE, 'fitted'), sketchSquare(picture, SIZE));
  }
});

test('whole is what photos are, and icon what icons are', () => {
  for (const picture of [drawing(60, 40, [5, 6, 30, 31]), drawing(50, 50, [0, 0, 50, 50])]) {
    for (const framing of ['whole', undefined] as const)
      assert.equal(sketchSquare(picture, SIZE, framing), stretchToSquare(picture, SIZE));
    assert.equal(sketchSquare(picture, SIZE, 'icon'), stretchToSquare(fitToInk(picture)!, SIZE));
  }
});

test.run();
