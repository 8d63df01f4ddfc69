import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, mkdtemp, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { pack } from 'tar-stream';
import { ImageError } from '../../src/platform/node/images.ts';
import { listSource, PictureListError } from '../../src/platform/node/picture-sources/list.ts';
import { fileSource, joinedSource, selectedSource } from '../../src/platform/node/picture-sources/source.ts';
import { tarSource, TarError } from '../../src/platform/node/picture-sources/tar.ts';
import { urlSource } from '../../src/platform/node/picture-sources/urls.ts';

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const CHANGED = new Date('2026-01-02T03:04:05Z');
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Writes a tar archive of members with the given contents. */
async function writeTar(file: string, members: readonly (readonly [name: string, content: string])[]): Promise<void> {
  const archive = pack();
  for (const [name, content] of members) archive.entry({ name, mtime: CHANGED }, content);
  archive.entry({ name: 'folder.png', type: 'directory', mtime: CHANGED });
  archive.finalize();
  await writeFile(file, await buffer(archive));
}

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-sources-'));
});
test.after(() => rm(folder, { recursive: true }));

test('files are their paths, sizes and times', async () => {
  await writeFile(at('a.png'), 'content');
  await utimes(at('a.png'), CHANGED, CHANGED);
  const source = fileSource([at('a.png'), at('gone.png')]);
  assert.equal(await source.stamp(at('a.png')), { path: at('a.png'), size: 7, time: CHANGED.getTime() });
  assert.is(text(await source.read(at('a.png'))), 'content');
  for (const failing of [source.stamp(at('gone.png')), source.read(at('gone.png'))])
    await failing.then(
      () => assert.unreachable(),
      (error: Error) => {
        assert.instance(error, ImageError);
        assert.match(error.message, /gone\.png cannot be decoded: ENOENT/);
      },
    );
});

test('a tar archive holds pictures; other members, hidden ones and folders are passed over', async () => {
  // Longer than a ustar header has room for, so that the archive has an extended header.
  const long = `${'folder/'.repeat(30)}é.png`;
  await writeTar(at('shard.tar'), [
    ['0001.jpg', 'one'],
    ['0001.json', '{}'],
    ['./0002.PNG', 'x'.repeat(1000)],
    ['.hidden/3.png', 'hidden'],
    [long, 'long'],
    ['0001.jpg', 'a second one of the same name'],
  ]);
  const source = await tarSource(at('shard.tar'));
  const names = ['0001.jpg', '0002.PNG', long].map((name) => `${at('shard.tar')}/${name}`);
  assert.equal(source.names, names);
  assert.equal(await source.stamp(names[1]), { path: names[1], size: 1000, time: CHANGED.getTime() });
  assert.equal(
    await Promise.all(names.map(async (name) => text(await source.read(name)))),
    ['one', 'x'.repeat(1000), 'long'],
    'read in any order, at their places',
  );
});

test('a damaged archive is refused, and one that became shorter is told', async () => {
  await writeTar(at('cut.tar'), [['1.png', 'x'.repeat(2000)]]);
  const source = await tarSource(at('cut.tar'));
  await truncate(at('cut.tar'), 1000);
  await source.read(source.names[0]).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /cut\.tar has become shorter/),
  );
  await writeFile(at('no.tar'), 'x'.repeat(2048));
  for (const name of ['cut.tar', 'no.tar', 'absent.tar'])
    await tarSource(at(name)).then(
      () => assert.unreachable(),
      (error: Error) => {
        assert.instance(error, TarError);
        assert.match(error.message, new RegExp(`${name} cannot be read as a tar archive: `));
      },
    );
});

test('addresses are asked for size and time, and again where a server is overloaded', async () => {
  const requests: string[] = [];
  let overloaded = 1;
  const server = createServer(({ method, url }, response) => {
    requests.push(`${method} ${url}`);
    if (url === '/overloaded.png' && overloaded-- > 0) response.writeHead(503).end();
    else if (url === '/absent.png') response.writeHead(404).end('no such picture');
    else if (url === '/plain.png') response.writeHead(200, { 'transfer-encoding': 'chunked' }).end('plain');
    else response.writeHead(200, { 'content-length': 4, 'last-modified': CHANGED.toUTCString() }).end('body');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const source = urlSource([]);
  try {
    assert.equal(await source.stamp(`${base}/a.png`), { path: `${base}/a.png`, size: 4, time: CHANGED.getTime() });
    assert.equal(await source.stamp(`${base}/plain.png`), { path: `${base}/plain.png`, size: 0, time: 0 });
    assert.is(text(await source.read(`${base}/plain.png`)), 'plain');
    assert.is(text(await source.read(`${base}/overloaded.png`)), 'body');
    assert.is(requests.filter((request) => request === 'GET /overloaded.png').length, 2);
    await source.read(`${base}/absent.png`).then(
      () => assert.unreachable(),
      (error: Error) => {
        assert.instance(error, ImageError);
        assert.match(error.message, /absent\.png cannot be decoded: the server answered 404/);
      },
    );
    assert.is(requests.filter((request) => request === 'GET /absent.png').length, 1);
  } finally {
    server.close();
  }
});

test('a list names files from its own folder, addresses and archives', async () => {
  await mkdir(at('inner'));
  await writeTar(at('inner', 'more.tar'), [['1.png', 'in the archive']]);
  await writeFile(at('inner', 'b.png'), 'b');
  await writeFile(
    at('inner', 'list.txt'),
    `\uFEFF# pictures\r\nb.png\r\n\n${at('a.png')}\n${pathToFileURL(at('a.png')).href}\nmore.tar\nhttps://example.org/c.png\n`,
  );
  const source = await listSource(at('inner', 'list.txt'));
  assert.equal(source.names, [
    at('inner', 'b.png'),
    at('a.png'),
    'https://example.org/c.png',
    `${at('inner', 'more.tar')}/1.png`,
  ]);
  assert.is(text(await source.read(source.names[3])), 'in the archive');
  assert.is(text(await source.read(source.names[0])), 'b');
  await writeFile(at('list.txt'), 'a.png\nftp://example.org/a.png\n');
  await listSource(at('list.txt')).then(
    () => assert.unreachable(),
    (error: Error) => {
      assert.instance(error, PictureListError);
      assert.match(error.message, /list\.txt, line 2: ftp:\/\/ is not read; use http, https or file/);
    },
  );
  await writeFile(at('latin.txt'), Uint8Array.of(0x63, 0xe9, 0x0a));
  await listSource(at('latin.txt')).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /latin\.txt: /),
  );
});

test('sources are joined and selected from by name', async () => {
  await writeFile(at('c.png'), 'c');
  const joined = joinedSource([fileSource([at('a.png')]), fileSource([at('a.png'), at('c.png')])]);
  assert.equal(joined.names, [at('a.png'), at('c.png')]);
  const selected = selectedSource(joined, (name) => name.endsWith('c.png'));
  assert.equal(selected.names, [at('c.png')]);
  assert.is(text(await selected.read(at('c.png'))), 'c');
});

test.run();
