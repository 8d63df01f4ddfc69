import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sheetRow } from '../../src/cli/search/pictures.ts';

test('pictures of a sheet are found beside the index, labelled with their folder, and grey where they are gone', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-sheet-'));
  const black = path.join(folder, '1.svg');
  await writeFile(black, '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M0 0h8v8H0z"/></svg>');
  const row = await sheetRow(
    {
      sketches: [black],
      results: ['1.svg', 'cat/2.svg', black].map((file, rank) => ({ rank: rank + 1, score: 1, path: file })),
    },
    path.join(folder, 'index.safetensors'),
  );
  assert.equal(
    row.results.map(({ label, pixels }) => [label, pixels[0]]),
    [
      ['1', 0],
      ['cat/2', 200],
      [`${path.basename(folder)}/1`, 0],
    ],
  );
  await rm(folder, { recursive: true });
});

test.run();
