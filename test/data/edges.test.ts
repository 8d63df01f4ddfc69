import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { edgeStrokes } from '../../src/data/edges.ts';

const SIDE = 64;
/** A picture by the color of each pixel's place. */
function picture(color: (x: number, y: number) => readonly [number, number, number]): Uint8Array {
  const pixels = new Uint8Array(3 * SIDE * SIDE);
  for (let y = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++) pixels.set(color(x, y), 3 * (y * SIDE + x));
  return pixels;
}
const WHITE = [255, 255, 255] as const;
const points = (strokes: readonly number[][]): [number, number][] =>
  strokes.flatMap((stroke) =>
    Array.from({ length: stroke.length / 2 }, (_, index): [number, number] => [
      SIDE * stroke[2 * index],
      SIDE * stroke[2 * index + 1],
    ]),
  );

test('a plain picture has no edges', () => {
  assert.equal(
    edgeStrokes(
      picture(() => WHITE),
      SIDE,
    ),
    [],
  );
});

test('a disc gives one closed stroke along its rim', () => {
  const strokes = edgeStrokes(
    picture((x, y) => (Math.hypot(x + 0.5 - 32, y + 0.5 - 32) < 20 ? [0, 90, 200] : WHITE)),
    SIDE,
  );
  assert.is(strokes.length, 1);
  for (const [x, y] of points(strokes)) assert.ok(Math.abs(Math.hypot(x - 32, y - 32) - 20) < 1.5, `${x}, ${y}`);
  const [stroke] = strokes;
  assert.equal(stroke.slice(0, 2), stroke.slice(-2), 'it ends where it began');
  const angles = points(strokes).map(([x, y]) => Math.floor((4 * (Math.atan2(y - 32, x - 32) + Math.PI)) / Math.PI));
  assert.is(new Set(angles.filter((eighth) => eighth < 8)).size, 8, 'all the way round');
});

test('colors that are equally bright have an edge between them', () => {
  // Both have the luma 76 (0.299 R + 0.587 G + 0.114 B), so that a gray picture would be plain.
  const strokes = edgeStrokes(
    picture((x) => (x < 32 ? [255, 0, 0] : [0, 130, 0])),
    SIDE,
  );
  const middle = points(strokes).filter(([x]) => Math.abs(x - 32) < 2);
  assert.ok(middle.length > 50, `${middle.length}`);
});

test('what reaches the border has an edge there', () => {
  const strokes = edgeStrokes(
    picture(() => [40, 40, 40]),
    SIDE,
  );
  for (const [x, y] of points(strokes)) assert.ok(Math.min(x, y, SIDE - x, SIDE - y) < 1.5, `${x}, ${y}`);
  assert.ok(points(strokes).length > 3.5 * SIDE);
});

test('specks and faint noise are left out; the longest stroke comes first', () => {
  const strokes = edgeStrokes(
    picture((x, y) => {
      if (x === 5 && y === 5) return [0, 0, 0];
      if (x >= 10 && x < 16 && y >= 40 && y < 46) return [0, 0, 0];
      if (x >= 30 && x < 60 && y >= 10 && y < 40) return [0, 0, 0];
      return (x + y) % 2 === 0 ? WHITE : [250, 250, 250];
    }),
    SIDE,
  );
  assert.is(strokes.length, 2);
  assert.ok(strokes[0].length > strokes[1].length);
  assert.ok(points([strokes[0]]).every(([x]) => x > 28));
});

test.run();
