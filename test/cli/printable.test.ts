import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { printable, printableLines } from '../../src/cli/display/printable.ts';
import { textTable } from '../../src/cli/display/text-table.ts';
import { runCaptured } from './../support/command-output.ts';

test('names cannot command a terminal', () => {
  assert.is(
    printable('a\x1b[2Jb\x07\x9b31m\r\n\u202egnp.exe'),
    'a\\u001b[2Jb\\u0007\\u009b31m\\u000d\\u000a\\u202egnp.exe',
  );
  assert.is(printable('größe 猫 🐈.png'), 'größe 猫 🐈.png');
  assert.is(printableLines('one\n\ttwo\x1b]0;title\x07'), 'one\n\ttwo\\u001b]0;title\\u0007');
});

test('JSON stays the same JSON', () => {
  const value = { path: 'a\x7f\x9b\u2028\u202e\n.png' };
  assert.equal(JSON.parse(printableLines(JSON.stringify(value, null, 1))), value);
});

test('cells of a table stay one line, and the columns stay in line', () => {
  assert.is(
    textTable(
      ['name', 'n'],
      [
        ['a\nb', '1'],
        ['c', '22'],
      ],
    ).split('\n').length,
    4,
  );
});

test('an error names a file whose name has escapes without sending them', async () => {
  const { code, stderr } = await runCaptured(['weights', 'no\x1b[31m\nsuch']);
  assert.is(code, 1);
  assert.match(stderr, 'no\\u001b[31m');
  assert.not.match(stderr, '\x1b');
});

test.run();
