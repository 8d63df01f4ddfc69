import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseList, readList } from '../../datasets/list-file.ts';
import { put } from '../support/archives.ts';

const test = suite('list files');

/** Whatever a path may hold: anything but line breaks, and not blanks alone. */
const names = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('a', ' ', '1', '\t', '/', 'é', '\u2028', '\r') }),
  )
  .filter((name) => !/\n/.test(name) && name.trim() !== '' && !name.startsWith('\uFEFF'));
const entries = fc.array(fc.record({ name: names, id: fc.nat(999) }), { minLength: 1 });

test('what is written is read, whatever the names, line ends and empty lines', () => {
  fc.assert(
    fc.property(
      entries,
      fc.constantFrom('\n', '\r\n'),
      fc.constantFrom('', '\uFEFF'),
      fc.nat(3),
      fc.constantFrom('', ' ', '\t '),
      (written, newline, mark, gap, trailing) => {
        const lines = written.map(({ name, id }) => `${name} ${id}${trailing}${newline}`);
        const { entries: read, problems } = parseList(`${mark}${newline.repeat(gap)}${lines.join('')}`, 'list.txt');
        assert.equal(problems, []);
        assert.equal(
          read,
          written.map(({ name, id }, index) => ({ name, id, line: gap + index + 1 })),
        );
      },
    ),
  );
});

test('every line is an entry or a problem, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '7', '\n', '\r', '\t', 'ß') }), (text) => {
      const { entries: read, problems } = parseList(text, 'list.txt');
      const filled = text.split(/\r?\n/).filter((line) => line.trimEnd() !== '').length;
      assert.is(read.length + problems.length, Math.max(1, filled));
    }),
  );
});

test('a name keeps its blanks and its numbers', () => {
  const { entries: read } = parseList('mouse (animal) 2.png 7\nfloor  lamp 12\n', 'list.txt');
  assert.equal(read, [
    { name: 'mouse (animal) 2.png', id: 7, line: 1 },
    { name: 'floor  lamp', id: 12, line: 2 },
  ]);
});

const wrong: [text: string, line: number | undefined, message: RegExp][] = [
  ['a.png 1\nb.png\n', 2, /"b\.png" is not a name, a blank and a class id/],
  ['a.png x1', 1, /"x1" behind the last blank is no class id/],
  ['a.png -1', 1, /"-1" .* no class id/],
  ['a.png 1.5', 1, /"1\.5" .* no class id/],
  ['\r\n\r\na b\r\n', 3, /"b" .* no class id/],
  ['', undefined, /the list is empty/],
  ['\n \n', undefined, /the list is empty/],
];
for (const [text, line, message] of wrong) {
  test(`${JSON.stringify(text)} is told with its line`, () => {
    const { problems } = parseList(text, 'list.txt');
    assert.is(problems.length, 1);
    assert.equal([problems[0].file, problems[0].line, problems[0].severity], ['list.txt', line, 'error']);
    assert.match(problems[0].message, message);
  });
}

test('a list may be written in UTF-16; another encoding is a problem', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sketchgrad-lists-'));
  const file = join(folder, 'list.txt');
  const text = 'crème brûlée/1.png 0\r\nbat/2.png 1\r\n';
  for (const bytes of [Buffer.from(`\uFEFF${text}`), Buffer.from(`\uFEFF${text}`, 'utf16le')]) {
    await put(file, bytes);
    const { entries, problems } = await readList(file);
    assert.equal(
      [entries.map(({ name, id }) => [name, id]), problems],
      [
        [
          ['crème brûlée/1.png', 0],
          ['bat/2.png', 1],
        ],
        [],
      ],
    );
  }
  await put(file, Buffer.from(text, 'latin1'));
  assert.match((await readList(file)).problems[0].message, /cannot be read: the file is no text in UTF-8/);
  await rm(folder, { recursive: true });
});

test('a list that is missing is a problem of its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sketchgrad-lists-'));
  try {
    const { problems } = await readList(join(folder, 'no.txt'));
    assert.equal(
      problems.map(({ kind, file, message }) => ({ kind, file, message })),
      [{ kind: 'missing', file: join(folder, 'no.txt'), message: 'the list is missing' }],
    );
    await put(join(folder, 'yes.txt'), 'a b 3\r\n');
    assert.equal((await readList(join(folder, 'yes.txt'))).entries, [{ name: 'a b', id: 3, line: 1 }]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
