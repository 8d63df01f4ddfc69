import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DrawingError, indexDrawings, parseDrawing, readDrawing } from '../../datasets/drawings.ts';
import { resolveByFolders } from '../../datasets/by-folders.ts';
import { renderDrawing } from '../../src/platform/node/images.ts';
import { drawingLine, put } from '../support/archives.ts';

const test = suite('drawings');
let folder = '';
test.before(async () => void (folder = await mkdtemp(join(tmpdir(), 'sketchgrad-drawings-'))));
test.after(() => rm(folder, { recursive: true }));

const SIDE = 256;
/** Brightness of a pixel of a drawing, 0 to 255. */
async function drawn(strokes: unknown): Promise<(x: number, y: number) => number> {
  const line = drawingLine('line', '1', strokes);
  const file = join(folder, 'drawn.ndjson');
  await put(file, line);
  const pixels = await renderDrawing(
    await readDrawing({ file, line: 1, offset: 0, length: Buffer.byteLength(line) }),
    SIDE,
    file,
  );
  return (x, y) => pixels[3 * (y * SIDE + x)];
}

test('strokes are black on white, and the pen keeps inside the image', async () => {
  const pixel = await drawn([
    [
      [0, 255, 255, 0, 0],
      [0, 0, 255, 255, 0],
    ],
  ]);
  for (const [x, y] of [
    [1, 128],
    [254, 128],
    [128, 1],
    [128, 254],
  ])
    assert.is(pixel(x, y), 0, `${x}, ${y}`);
  for (const [x, y] of [
    [128, 128],
    [10, 10],
    [245, 245],
  ])
    assert.is(pixel(x, y), 255, `${x}, ${y}`);
});

test('a flat drawing is in the middle, at its scale', async () => {
  const pixel = await drawn([
    [
      [0, 255],
      [0, 0],
    ],
  ]);
  assert.is(pixel(128, 128), 0);
  assert.is(pixel(4, 128), 0);
  assert.is(pixel(128, 1), 255);
  assert.is(pixel(128, 120), 255);
});

test('a stroke of one point is a dot, and strokes are not joined', async () => {
  const pixel = await drawn([
    [[0], [0]],
    [[255], [255]],
  ]);
  assert.ok(pixel(2, 2) < 128 && pixel(253, 253) < 128);
  assert.is(pixel(128, 128), 255);
});

test('places are right whatever the letters, line ends, and lengths of the lines', async () => {
  const file = join(folder, 'long.ndjson');
  const point = (index: number): number[] => Array.from({ length: 200 }, (_, step) => (index * 7 + step) % 256);
  const lines = Array.from({ length: 400 }, (_, index) =>
    drawingLine('crème brûlée', String(index), [[point(index), point(index + 1)]], {
      countrycode: 'ü'.repeat(index % 50),
    }),
  );
  for (const [newline, end] of [
    ['\n', ''],
    ['\r\n', '\r\n'],
  ]) {
    await put(file, lines.join(newline) + end);
    const { word, drawings, problems } = await indexDrawings(file, Infinity);
    assert.equal(problems, []);
    assert.is(word, 'crème brûlée');
    assert.equal(
      drawings.map(({ key, line }) => `${key} ${line}`),
      lines.map((_, index) => `${index} ${index + 1}`),
    );
    for (const index of [0, 1, 199, 399]) {
      const svg = (await readDrawing(drawings[index])).toString();
      const [x, y] = [point(index), point(index + 1)];
      assert.ok(svg.includes(`M${x[0]} ${y[0]}L${x[1]} ${y[1]}L`), `${index}`);
    }
  }
});

test('the first drawings that were recognized are taken, and no more is read', async () => {
  const file = join(folder, 'some.ndjson');
  const line = (key: string, recognized: boolean): string =>
    drawingLine(
      'bat',
      key,
      [
        [
          [0, 1],
          [0, 1],
        ],
      ],
      { recognized },
    );
  await put(file, [line('a', false), '', line('b', true), line('c', true), 'no JSON, and not reached'].join('\n'));
  const { drawings, problems } = await indexDrawings(file, 2);
  assert.equal(
    drawings.map(({ key, line: at }) => [key, at]),
    [
      ['b', 3],
      ['c', 4],
    ],
  );
  assert.equal(problems, []);
});

test('a key_id may be a number, and a byte order mark may be first', async () => {
  const file = join(folder, 'numbers.ndjson');
  const line = (key: string): string =>
    `{"word":"cactus","recognized":true,"key_id":${key},"drawing":[[[0,10],[0,10]]]}`;
  await put(
    file,
    `\uFEFF${[line('2'), line('5891796615823360'), line('9007199254740993'), line('9007199254740992'), line('2')].join('\n')}\n`,
  );
  const { word, drawings, problems } = await indexDrawings(file, Infinity);
  assert.is(word, 'cactus');
  assert.equal(
    drawings.map(({ key }) => key),
    ['2', '5891796615823360', '9007199254740993', '9007199254740992'],
  );
  assert.equal(
    problems.map(({ kind, line: at }) => [kind, at]),
    [['duplicate', 5]],
  );
  assert.match((await readDrawing(drawings[0])).toString(), /^<svg /);
  await put(file, Buffer.from(`\uFEFF${line('2')}\n`, 'utf16le'));
  assert.match((await indexDrawings(file, Infinity)).problems[0].message, /written in UTF-16/);
});

test('a file without line ends is read once, and no line is kept that is too long', async () => {
  const file = join(folder, 'endless.ndjson');
  await put(
    file,
    Buffer.concat([
      Buffer.alloc(40_000_000, 0x61),
      Buffer.from(
        `\n${drawingLine('bat', '1', [
          [
            [0, 1],
            [0, 1],
          ],
        ])}`,
      ),
    ]),
  );
  const { drawings, problems } = await indexDrawings(file, Infinity);
  assert.equal(
    problems.map(({ line, message }) => [line, message]),
    [[1, 'the line has 40000000 bytes, and a drawing at most 16777216: is this one drawing a line?']],
  );
  assert.equal(
    drawings.map(({ key, line, offset }) => [key, line, offset]),
    [['1', 2, 40_000_001]],
  );
  assert.match((await readDrawing(drawings[0])).toString(), /M0 0L1 1/);
});

test('a drawing may have any number of points, and a file any number of problems', async () => {
  const points = Array.from({ length: 200_000 }, (_, index) => index % 256);
  const file = join(folder, 'bat.ndjson');
  await put(file, `${drawingLine('bat', '1', [[points, points]])}\n${'x\n'.repeat(150_000)}`);
  const { drawings } = await indexDrawings(file, 1);
  assert.match((await readDrawing(drawings[0])).toString(), /viewBox="-2 -2 259 259"/);
  const archive = {
    root: folder,
    layout: 'QuickDraw ndjson',
    set: 'quickdraw',
    sketchFolders: [],
    photoFolders: [],
    drawingFiles: [file],
    listFolders: [],
  } as const;
  const { problems } = await resolveByFolders(
    archive,
    { name: 'own', title: 'own', source: 'own', seen: ['bat'], unseen: [] },
    {},
  );
  assert.is(problems.filter(({ kind }) => kind === 'malformed').length, 150_000);
});

test('what is wrong in a file is told with its line', async () => {
  const file = join(folder, 'wrong.ndjson');
  const good = [
    [
      [0, 1],
      [0, 1],
    ],
  ];
  await put(
    file,
    [
      drawingLine('bat', '1', good),
      '{"word": "bat"',
      drawingLine('cow', '2', good),
      drawingLine('Bat', '1', good),
      drawingLine('bat', '', good),
      drawingLine('bat', '3', [[[0, 1], [0]]]),
    ].join('\n'),
  );
  const { drawings, problems } = await indexDrawings(file, Infinity);
  assert.is(drawings.length, 1);
  assert.equal(
    problems.map(({ line, kind }) => [line, kind]),
    [
      [2, 'malformed'],
      [3, 'wrong id'],
      [4, 'duplicate'],
      [5, 'malformed'],
      [6, 'malformed'],
    ],
  );
  assert.match(problems[1].message, /the word is "cow", and "bat" in the lines before/);
  assert.match(problems[2].message, /key_id 1 is already in line 1/);
  await put(file, '\n\n');
  assert.equal(
    (await indexDrawings(file, Infinity)).problems.map(({ kind, line }) => [kind, line]),
    [['empty', undefined]],
  );
});

const lines: [name: string, line: string, message: RegExp][] = [
  ['no JSON', '{', /is no JSON/],
  ['no object', '3', /there is no word/],
  ['no drawing', drawingLine('a', '1', []), /there is no drawing/],
  ['a stroke of no points', drawingLine('a', '1', [[[], []]]), /stroke 1 is not a list of x/],
  [
    'no numbers',
    drawingLine('a', '1', [
      [[0], [0]],
      [['1'], [0]],
    ]),
    /stroke 2 is not a list of x/,
  ],
  [
    'raw drawings',
    drawingLine('a', '1', [
      [
        [0, 512.5],
        [0, 3],
        [0, 17],
      ],
    ]),
    /leaves 0\.\.255: are these the raw drawings/,
  ],
  [
    'a negative place',
    drawingLine('a', '1', [
      [
        [0, -1],
        [0, 3],
      ],
    ]),
    /leaves 0\.\.255/,
  ],
];
for (const [name, line, message] of lines) {
  test(`${name} is a DrawingError`, () => {
    try {
      parseDrawing(line);
    } catch (error) {
      assert.instance(error, DrawingError);
      assert.match((error as Error).message, message);
      return;
    }
    assert.unreachable();
  });
}

test.run();
