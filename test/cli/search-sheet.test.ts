import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
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

test('members of tar archives and pictures at addresses are on a sheet', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-sheet-'));
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M0 0h8v8H0z"/></svg>';
  const archive = pack();
  archive.entry({ name: 'cat/1.svg' }, svg);
  archive.finalize();
  await writeFile(path.join(folder, 'shard.tar'), await buffer(archive));
  await writeFile(path.join(folder, 'sketch.svg'), svg);
  const server = createServer(({ url }, response) =>
    url === '/dog/2.svg' ? response.end(svg) : response.writeHead(404).end(),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const paths = ['shard.tar/cat/1.svg', 'shard.tar/gone.svg', `${address}/dog/2.svg`, `${address}/gone.svg`];
    const { results } = await sheetRow(
      {
        sketches: [path.join(folder, 'sketch.svg')],
        results: paths.map((file, rank) => ({ rank: rank + 1, score: 1, path: file })),
      },
      path.join(folder, 'photos.index'),
    );
    assert.equal(
      results.map(({ pixels }) => pixels[0]),
      [0, 200, 0, 200],
    );
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test.run();
