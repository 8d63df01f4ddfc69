import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { decodeStrokes, drawStrokes, encodeStrokes, fitStrokes, strokeBounds } from '../../src/data/strokes.ts';

const gray = (pixels: Uint8Array, size: number, x: number, y: number): number => pixels[3 * (y * size + x)];

test('a horizontal line covers the pixels that its pen covers, and shares of those on its rim', () => {
  // The pen is 3 pixels wide and its middle is that of row 8: rows 7 to 9 are black, 6 and 10 are white.
  const pixels = drawStrokes([[0, 8.5 / 16, 1, 8.5 / 16]], 3 / 16, 16);
  assert.is(pixels.length, 3 * 256);
  assert.equal(
    [5, 6, 7, 8, 9, 10, 11].map((y) => gray(pixels, 16, 8, y)),
    [255, 255, 0, 0, 0, 255, 255],
  );
  // Half a pixel lower it covers half of rows 7 and 10.
  const lower = drawStrokes([[0, 9 / 16, 1, 9 / 16]], 3 / 16, 16);
  assert.equal(
    [6, 7, 8, 9, 10, 11].map((y) => gray(lower, 16, 8, y)),
    [255, 128, 0, 0, 128, 255],
  );
  assert.equal([pixels[3 * 128], pixels[3 * 128 + 1], pixels[3 * 128 + 2]], [0, 0, 0], 'the three channels are equal');
});

test('a point is a dot of the pen, and lines have round ends', () => {
  const dot = drawStrokes([[0.5, 0.5]], 4 / 17, 17);
  for (let y = 0; y < 17; y++) {
    for (let x = 0; x < 17; x++) {
      const expected = Math.round(255 * Math.min(1, Math.max(0, Math.hypot(x - 8, y - 8) - 2 + 0.5)));
      assert.is(gray(dot, 17, x, y), expected, `${x}, ${y}`);
    }
  }
});

test('every pixel has the gray of its distance to the nearest line', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc
          .array(fc.double({ min: -0.2, max: 1.2, noNaN: true }), { minLength: 4, maxLength: 8 })
          .filter((stroke) => stroke.length % 2 === 0),
        { minLength: 1, maxLength: 3 },
      ),
      fc.integer({ min: 1, max: 19 }),
      fc.double({ min: 0.01, max: 0.3, noNaN: true }),
      (strokes, size, pen) => {
        const pixels = drawStrokes(strokes, pen, size);
        for (let y = 0; y < size; y++) {
          for (let x = 0; x < size; x++) {
            const distance = Math.min(
              ...strokes.flatMap((stroke) =>
                Array.from({ length: stroke.length / 2 - 1 }, (_, line) =>
                  toLine((x + 0.5) / size, (y + 0.5) / size, stroke.slice(2 * line, 2 * line + 4)),
                ),
              ),
            );
            const expected = 255 * Math.min(1, Math.max(0, size * distance - (size * pen) / 2 + 0.5));
            // Squared distances are kept as float32, of which the root is half as far off; then comes rounding.
            assert.ok(
              Math.abs(gray(pixels, size, x, y) - expected) <= 0.5 + 255 * 2 ** -20 * size,
              `${x}, ${y}: ${gray(pixels, size, x, y)} and ${expected}`,
            );
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

function toLine(x: number, y: number, [x0, y0, x1, y1]: readonly number[]): number {
  const squared = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  const along = squared === 0 ? 0 : Math.min(1, Math.max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / squared));
  return Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
}

test('fitted strokes keep their proportions, fill the square but for margin and pen, and are in its middle', () => {
  const fitted = fitStrokes(
    [
      [10, 20, 110, 20],
      [10, 70, 60, 70],
    ],
    0.1,
  );
  const { left, top, right, bottom } = strokeBounds(fitted);
  const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-12, `${a} and ${b}`);
  near(right - left, 0.9 / 1.08);
  near((bottom - top) / (right - left), 0.5);
  near((left + right) / 2, 0.5);
  near((top + bottom) / 2, 0.5);
  assert.equal(fitStrokes([[7, 7]], 0.1), [[0.5, 0.5]], 'a dot is in the middle');
});

test('encoded strokes come back within half a step, long ones in pieces that share a point', () => {
  const long = Array.from({ length: 2 * 600 }, (_, index) => (index % 251) / 250);
  const strokes = [[0, 0, 1, 1], [0.5, 0.25], long];
  const decoded = decodeStrokes(encodeStrokes(strokes, 4096));
  assert.is(decoded.length, 2 + 3);
  const joined = [...decoded[2], ...decoded[3].slice(2), ...decoded[4].slice(2)];
  for (const [back, stroke] of [
    [decoded[0], strokes[0]],
    [decoded[1], strokes[1]],
    [joined, long],
  ]) {
    assert.is(back.length, stroke.length);
    back.forEach((value, index) => assert.ok(Math.abs(value - stroke[index]) <= 0.5 / 255 + 1e-12));
  }
});

test('strokes that do not fit are left out, the others stay', () => {
  assert.equal(
    decodeStrokes(
      encodeStrokes(
        [
          [0, 0, 1, 1],
          [0, 1, 1, 0, 0, 0],
        ],
        8,
      ),
    ),
    [[0, 0, 1, 1]],
  );
  assert.equal(decodeStrokes(encodeStrokes([], 8)), []);
});

test.run();
