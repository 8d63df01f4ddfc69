import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { drawMap } from '../../src/cli/report/embedding-map.ts';
import { textTable } from '../../src/cli/display/text-table.ts';

test('a table may have any number of rows', () => {
  const lines = textTable(
    ['rank', 'picture'],
    Array.from({ length: 200_000 }, (_, row) => [String(row), 'a.png']),
  ).split('\n');
  assert.is(lines.length, 200_002);
  assert.is(new Set(lines.map((line) => line.indexOf('a.png'))).size, 2, 'the head, and one column');
});

test('a map may have any number of points', () => {
  const points = Array.from({ length: 150_000 }, (_, index) => ({
    x: index,
    y: -index,
    className: 'cat',
    domain: 'photo' as const,
    name: '',
  }));
  assert.not.match(drawMap({ points } as unknown as Parameters<typeof drawMap>[0]), /NaN/);
});

test.run();
