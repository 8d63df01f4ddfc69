import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { thinnedLines } from '../../src/data/thinning.ts';

const mask = (rows: readonly string[]): Uint8Array =>
  Uint8Array.from(rows.join(''), (character) => Number(character === '#'));
const rowsOf = (lines: Uint8Array, side: number): string[] =>
  Array.from({ length: side }, (_, y) =>
    Array.from(lines.subarray(y * side, (y + 1) * side), (ink) => (ink === 1 ? '#' : '.')).join(''),
  );

test('a wide line becomes one pixel wide', () => {
  const wide = mask([
    '..........',
    '..........',
    '.########.',
    '.########.',
    '.########.',
    '..........',
    '..........',
    '..........',
    '..........',
    '..........',
  ]);
  const thin = thinnedLines(wide, 10);
  assert.ok(rowsOf(thin, 10).filter((row) => row.includes('#')).length === 1, rowsOf(thin, 10).join('\n'));
  assert.match(rowsOf(thin, 10)[3], /^\.{1,3}#{4,8}\.{1,3}$/);
});

test('thinning removes ink and adds none, keeps the number of parts, and leaves no block of 2 x 2', () => {
  const side = 40;
  // Two discs, a ring and a cross, of several widths.
  for (const width of [1, 2, 3, 5]) {
    const ink = new Uint8Array(side * side);
    const set = (test: (x: number, y: number) => boolean): void => {
      for (let y = 1; y < side - 1; y++) for (let x = 1; x < side - 1; x++) if (test(x, y)) ink[y * side + x] = 1;
    };
    set((x, y) => Math.abs(Math.hypot(x - 11, y - 11) - 7) <= width / 2);
    set(
      (x, y) =>
        (Math.abs(x - 28) < width / 2 || Math.abs(y - 28) < width / 2) && Math.abs(x - 28) < 9 && Math.abs(y - 28) < 9,
    );
    set((x, y) => Math.hypot(x - 31, y - 8) <= width);
    const lines = thinnedLines(ink, side);
    assert.ok(lines.every((value, place) => value <= ink[place]));
    assert.is(parts(lines, side), parts(ink, side), `${width}`);
    for (let place = 0; place + side + 1 < lines.length; place++)
      assert.is.not(lines[place] + lines[place + 1] + lines[place + side] + lines[place + side + 1], 4);
    assert.equal(thinnedLines(lines, side), lines, 'what is thin stays as it is');
  }
});

/** Connected parts, by eight neighbors. */
function parts(lines: Uint8Array, side: number): number {
  const left = Uint8Array.from(lines);
  let count = 0;
  for (let start = 0; start < left.length; start++) {
    if (left[start] === 0) continue;
    count++;
    const open = [start];
    while (open.length > 0) {
      const place = open.pop() as number;
      if (left[place] === 0) continue;
      left[place] = 0;
      for (const step of [1, -1, side, -side, side + 1, side - 1, -side + 1, -side - 1]) open.push(place + step);
    }
  }
  return count;
}

test.run();
