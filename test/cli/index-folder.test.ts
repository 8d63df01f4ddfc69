import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { findImages } from '../../src/cli/files/image-files.ts';
import { inShard } from '../../src/cli/files/shard.ts';
import { IndexFolder } from '../../src/platform/node/index-folder.ts';
import { renameHooks } from '../../src/platform/node/files.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import { openIndex } from '../../src/retrieval/index-file.ts';
import { folderDigests } from '../support/folder-digests.ts';
import { writeShapes } from '../support/shapes-folder.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

let tiny: TinyTraining;
const at = (...names: string[]): string => tiny.at(...names);
const embed = (out: string, ...more: string[]): ReturnType<typeof run> =>
  run('embed', '--model', at('unbroken', 'model.safetensors'), '--images', at('pictures'), '--out', at(out), ...more);

/** Names and contents of a folder's files. */
const contentOf = (folder: string): Promise<Record<string, string>> => folderDigests(at(folder));

test.before(async () => {
  tiny = await TinyTraining.make();
  await tiny.train('unbroken');
  await mkdir(at('pictures'));
  await writeShapes(at('pictures', 'inner'));
  await rm(at('pictures', 'inner', 'sketch'), { recursive: true });
  await writeFile(at('pictures', 'damaged.png'), 'no picture');
});
test.after(() => tiny.remove());
test.after.each(() => {
  renameHooks.before = undefined;
});

test('an index folder holds what an index file holds, and search takes either', async () => {
  const made = await embed('whole');
  assert.is(made.code, 0, made.stderr);
  assert.match(made.stdout, /18 pictures, 16 components each, of the model [0-9a-f]{16}: 18 embedded/);
  assert.match(made.stderr, /skipped: .*damaged.png cannot be decoded/);
  assert.is((await embed('file.safetensors')).code, 0);
  assert.is((await run('index', 'export', at('whole'), '--out', at('exported.safetensors'))).code, 0);
  const [file, exported] = await Promise.all(
    ['file.safetensors', 'exported.safetensors'].map(async (name) => openIndex(await readFile(at(name)))),
  );
  assert.equal(exported.paths, file.paths);
  assert.equal(exported.embeddings, file.embeddings);
  const search = async (index: string, ...words: string[]): Promise<string> =>
    (
      await run(
        'search',
        '--model',
        at('unbroken', 'model.safetensors'),
        '--index',
        at(index),
        file.paths[3],
        '--top',
        '5',
        ...words,
      )
    ).stdout;
  assert.match(await search('whole'), /1\.0000/);
  assert.is(await search('whole'), await search('file.safetensors'));
  const found = async (...words: string[]): Promise<{ rank: number; path: string }[]> =>
    (JSON.parse(await search('whole', '--json', ...words)) as { results: { rank: number; path: string }[] }[])[0]
      .results;
  const all = await found('--top', '18');
  assert.equal(await found('--offset', '3'), all.slice(3, 8));
  const label = path.basename(path.dirname(all[4].path));
  const labelled = all.filter(({ path: name }) => path.basename(path.dirname(name)) === label);
  assert.ok(labelled.length > 0 && labelled.length < 18);
  assert.equal(
    (await found('--label', label, '--top', '18')).map(({ path: name }) => name),
    labelled.map(({ path: name }) => name),
  );
  assert.equal(await found('--before', '2001-01-01'), []);
  // Together with the picture itself, and without it among what is found.
  assert.equal((await found('--like', file.paths[3])).map(({ path: name }) => name).includes(file.paths[3]), false);
  const like = await run(
    'search',
    '--model',
    at('unbroken', 'model.safetensors'),
    '--index',
    at('whole'),
    '--like',
    file.paths[3],
    '--json',
  );
  const [{ like: liked, results }] = JSON.parse(like.stdout) as { like: string; results: { path: string }[] }[];
  assert.is(liked, file.paths[3]);
  const { embeddings, dimension, paths } = file;
  assert.equal(
    results.map(({ path: name }) => name),
    rankGallery(embeddings.slice(3 * dimension, 4 * dimension), embeddings, dimension, 18)
      .map(({ index }) => paths[index])
      .filter((name) => name !== paths[3])
      .slice(0, 10),
  );
  const { stderr } = await run(
    'search',
    '--model',
    at('unbroken', 'model.safetensors'),
    '--index',
    at('file.safetensors'),
    file.paths[3],
    '--after',
    '2001-01-01',
  );
  assert.match(stderr, /--after, .*does not store the dates and sizes of its pictures/);
});

test('a store is loaded from index folders, and searched as the folder is', async () => {
  const store = `lance:${at('lance')}`;
  const load = (...more: string[]): ReturnType<typeof run> => run('index', 'load', ...more, '--store', store);
  const loaded = await load(at('whole'));
  assert.is(loaded.code, 0, loaded.stderr);
  assert.is(loaded.stdout, '18 added or changed, 0 unchanged, 0 removed; 18 pictures\n');
  assert.match((await load(at('whole'))).stdout, /^0 added or changed, 18 unchanged, 0 removed; 18 pictures/);
  const whole = await IndexFolder.open(at('whole'));
  const [{ path: sketch }] = await whole.pictures(whole.manifest.parts[0]);
  const label = path.basename(path.dirname(sketch));
  const search = async (...more: string[]): Promise<{ path: string; score: number }[]> => {
    const ran = await run('search', '--model', at('unbroken', 'model.safetensors'), sketch, '--json', ...more);
    assert.is(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout)[0].results;
  };
  for (const more of [[], ['--label', label, '--offset', '1', '--top', '2']]) {
    const inStore = await search('--store', store, ...more);
    const inFolder = await search('--index', at('whole'), ...more);
    assert.is(inStore.length, inFolder.length);
    assert.ok(inFolder.length > 0);
    // Cosines of float32 and of float64: close ones can change places.
    inFolder.forEach(({ score }, place) => assert.ok(Math.abs(inStore[place].score - score) < 1e-6));
    assert.ok(more.length === 0 || inStore.every((found) => path.basename(path.dirname(found.path)) === label));
  }

  // What left the folder leaves the store, unless it is kept.
  assert.is((await embed('shard', '--shard', '0/2')).code, 0);
  const { count } = await IndexFolder.open(at('shard'));
  assert.match((await load(at('shard'), '--keep')).stdout, new RegExp(`^0 .*, ${count} unchanged, 0 removed; 18 pict`));
  assert.match((await load(at('shard'))).stdout, new RegExp(`${18 - count} removed; ${count} pictures`));
  assert.match((await load(at('whole'))).stdout, new RegExp(`^${18 - count} added or changed, .*; 18 pictures`));

  const refused = await run('search', '--store', store, '--index', at('whole'), sketch);
  assert.match(refused.stderr, /--store replaces --index/);
  assert.match((await run('index', 'load', at('whole'), '--store', 'exact')).stderr, /exact is in memory/);
  assert.match((await run('index', 'load', at('whole'), '--store', 'faiss:x')).stderr, /faiss:x is no store/);
});

test('an interrupted run goes on, and the index is the same to the byte, wherever it was interrupted', async () => {
  let interrupted = 0;
  for (let renames = 0; ; renames++) {
    await rm(at('broken-off'), { recursive: true, force: true });
    let left = renames;
    renameHooks.before = () => {
      if (left-- === 0) throw new Error('interrupted');
    };
    const first = await embed('broken-off');
    renameHooks.before = undefined;
    if (first.code === 0) break;
    interrupted++;
    assert.is((await embed('broken-off')).code, 0);
    assert.equal(await contentOf('broken-off'), await contentOf('whole'), `after ${renames} files`);
  }
  // The chunk's three files, the part's two, and the manifest.
  assert.is(interrupted, 6);
});

test('an update equals an index made anew: new, changed, moved, touched and removed pictures', async () => {
  const refused = await embed('whole');
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /--out: .*whole is an index already; --update updates it/);
  await cp(at('whole'), at('updated'), { recursive: true });
  const pictures = (await readdir(at('pictures'), { recursive: true })).filter((name) => /photo.*\.png$/.test(name));
  const [changed, moved, touched, removed, copied] = pictures.sort().map((name) => at('pictures', name));
  await copyFile(copied, changed);
  await rename(moved, at('pictures', 'moved.png'));
  await utimes(touched, new Date(), new Date(2001, 1, 1));
  await rm(removed);
  const fresh = at('pictures', 'added.png');
  await writeFile(fresh, await readFile(copied));
  const update = await embed('updated', '--update');
  assert.is(update.code, 0, update.stderr);
  // Of the changed and the added picture the content is not that of one that is gone, so both are embedded.
  assert.match(update.stdout, /18 pictures, .*: 2 embedded, 16 taken over \(2 of them moved or touched\), 2 are gone/);
  assert.is((await embed('anew')).code, 0);
  assert.equal(await contentOf('updated'), await contentOf('anew'));
  assert.match((await embed('updated', '--update')).stdout, /: 0 embedded, 18 taken over/);
  const duplicates = await run('index', 'duplicates', at('updated'), '--similarity', '1', '--json');
  const { groups } = JSON.parse(duplicates.stdout) as {
    groups: { path: string; similarity: number; copyOf?: string }[][];
  };
  assert.equal(
    groups
      .find((group) => group.some(({ path: name }) => name === copied))
      ?.map(({ path: name, copyOf }) => [name, copyOf]),
    [fresh, changed, copied].sort().map((name, place, sorted) => [name, place === 0 ? undefined : sorted[0]]),
  );
  assert.match(
    (await run('index', 'duplicates', at('updated'))).stdout,
    /groups? of \d+ pictures with a cosine of at least 0\.97, among them \d+ exact copies/,
  );
});

test('a list of files, an archive and addresses gives the vectors of the pictures, and is brought up to date', async () => {
  const names = (await readdir(at('pictures'), { recursive: true }))
    .filter((name) => /(?<!damaged)\.png$/.test(name))
    .sort();
  const archive = pack();
  for (const name of names.slice(0, 6))
    archive.entry({ name, mtime: new Date(0) }, await readFile(at('pictures', name)));
  archive.finalize();
  await writeFile(at('shard.tar'), await buffer(archive));
  let fetched = 0;
  const server = createServer((request, response) => {
    if (request.method === 'GET') fetched++;
    // Without a time of the last change, so that an update has to look at the content.
    void readFile(at('pictures', decodeURIComponent((request.url as string).slice(1)))).then((bytes) =>
      response.end(bytes),
    );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const addresses = names.slice(6, 9).map((name) => `${address}/${encodeURIComponent(name)}`);
    const files = names.slice(9).map((name) => path.join('pictures', name));
    await writeFile(at('list.txt'), ['shard.tar', ...addresses, ...files].join('\n'));
    const embedList = (...more: string[]): ReturnType<typeof run> =>
      run(
        'embed',
        '--model',
        at('unbroken', 'model.safetensors'),
        '--images',
        at('list.txt'),
        '--out',
        at('listed'),
        ...more,
      );
    const made = await embedList();
    assert.is(made.code, 0, made.stderr);
    assert.match(made.stdout, new RegExp(`${names.length} pictures, .*: ${names.length} embedded`));
    assert.match((await embedList('--update')).stdout, new RegExp(`: 0 embedded, ${names.length} taken over`));
    assert.is(fetched, 6, 'each address once to embed it and once to compare it');
    assert.is((await embed('at-present')).code, 0);
    for (const folder of ['at-present', 'listed'])
      assert.is((await run('index', 'export', at(folder), '--out', at(`${folder}.safetensors`))).code, 0);
    const [present, listed] = await Promise.all(
      ['at-present', 'listed'].map(async (name) => openIndex(await readFile(at(`${name}.safetensors`)))),
    );
    const rowsByName = ({ paths, embeddings, dimension }: typeof present): Record<string, number[]> =>
      Object.fromEntries(
        paths.map((name, row) => [
          decodeURIComponent(name).replace(/^.*(pictures|shard\.tar|:\d+)\//, ''),
          [...embeddings.subarray(row * dimension, (row + 1) * dimension)],
        ]),
      );
    assert.equal(rowsByName(listed), rowsByName(present));
  } finally {
    server.close();
  }
});

test('merged shards equal the index of all pictures to the byte, for 1, 3 and 7 shards', async () => {
  // A job may have more shards than there are pictures.
  const paths = await findImages(at('pictures'), '');
  const unused = Array.from({ length: 97 }, (_, shard) => shard).find(
    (shard) => !paths.some((name) => inShard(name, { index: shard, count: 97 })),
  );
  for (const words of [[], ['--update']]) {
    const empty = await embed('empty', '--shard', `${unused}/97`, ...words);
    assert.is(empty.code, 0, empty.stderr);
    assert.match(empty.stdout, /0 pictures: none is in the shard \d+\/97/);
  }
  assert.match((await run('index', 'verify', at('empty'))).stdout, /0 pictures in 0 parts are as they were written/);
  for (const count of [1, 3, 7]) {
    const names = Array.from({ length: count }, (_, index) => `shard-${index}-of-${count}`);
    for (const [index, name] of names.entries()) {
      const one = await embed(name, '--shard', `${index}/${count}`);
      assert.is(one.code, 0, one.stderr);
    }
    const merged = await run(
      ...['index', 'merge', at('empty'), ...names.map((name) => at(name)), '--out', at(`merged-${count}`)],
    );
    assert.is(merged.code, 0, merged.stderr);
    assert.equal(await contentOf(`merged-${count}`), await contentOf('anew'));
  }
  const twice = await run('index', 'merge', at('anew'), at('updated'), '--out', at('twice'));
  assert.match(twice.stderr, /is in .* and in another of the indexes/);
  assert.not.ok(existsSync(at('twice', 'manifest.json')));
});

test('16-bit vectors take half the bytes and are merged and updated as they are', async () => {
  assert.is((await embed('half', '--vectors', 'F16')).code, 0);
  assert.match((await run('index', 'info', at('half'))).stdout, /18 pictures, 16 components each \(F16\), in 1 part/);
  const before = await contentOf('half');
  assert.is((await embed('half', '--update', '--vectors', 'F16')).code, 0);
  assert.equal(await contentOf('half'), before);
  const [half, whole] = await Promise.all(['half', 'anew'].map((name) => IndexFolder.open(at(name))));
  const [a, b] = await Promise.all([half, whole].map((index) => index.vectors(index.manifest.parts[0])));
  // Components are at most 1, and a 16-bit float has 11 digits.
  assert.ok(a.every((value, index) => Math.abs(value - b[index]) <= 2 ** -12));
  const mixed = await run('index', 'merge', at('half'), at('anew'), '--out', at('mixed'));
  assert.match(mixed.stderr, /holds F32, and .*half F16/);
});

test('verify finds a changed byte in any file, and says which', async () => {
  assert.match((await run('index', 'verify', at('anew'))).stdout, /18 pictures in 1 parts are as they were written/);
  for (const name of await readdir(at('anew'))) {
    await rm(at('damaged'), { recursive: true, force: true });
    await cp(at('anew'), at('damaged'), { recursive: true });
    const bytes = await readFile(at('damaged', name));
    bytes[bytes.length - 5] ^= 1;
    await writeFile(at('damaged', name), bytes);
    const verified = await run('index', 'verify', at('damaged'));
    assert.is(verified.code, 1);
    assert.ok(verified.stderr.includes(name), `${name}: ${verified.stderr}`);
  }
  await rm(at('damaged', 'manifest.json'));
  assert.match((await run('index', 'verify', at('damaged'))).stderr, /damaged is no index: it has no manifest.json/);
});

test('exports can be read: NumPy by its format, Parquet by another package', async () => {
  const index = await IndexFolder.open(at('anew'));
  const [part] = index.manifest.parts;
  const [vectors, pictures] = [await index.vectors(part), await index.pictures(part)];
  assert.is((await run('index', 'export', at('anew'), '--out', at('all.npy'))).code, 0);
  const npy = await readFile(at('all.npy'));
  assert.is(npy.toString('latin1', 1, 6), 'NUMPY');
  const start = 10 + npy.readUInt16LE(8);
  assert.is(start % 64, 0);
  assert.match(
    npy.toString('latin1', 10, start),
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(18, 16\), \} *\n$/,
  );
  assert.equal(new Float32Array(new Uint8Array(npy.subarray(start)).buffer), vectors);
  assert.equal(
    (await readFile(at('all.paths.txt'), 'utf8')).trim().split('\n'),
    pictures.map(({ path }) => path),
  );
  assert.is((await run('index', 'export', at('anew'), '--out', at('all.parquet'))).code, 0);
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(at('all.parquet')) });
  assert.equal(
    rows.map(({ path, size, digest }) => ({ path: String(path), size: Number(size), digest: String(digest) })),
    pictures.map(({ path, size, digest }) => ({ path, size, digest })),
  );
  assert.equal(Float32Array.from(rows.flatMap(({ vector }) => vector as number[])), vectors);
  assert.match(
    (await run('index', 'export', at('anew'), '--out', at('all.csv'))).stderr,
    /\.npy, \.parquet, \.safetensors/,
  );
});

test('flags that do not go together are refused before any picture is read', async () => {
  const refusals: [args: string[], message: RegExp][] = [
    [[at('x.safetensors'), '--update'], /--update, --shard and --vectors are for index folders/],
    [[at('x'), '--codes', '8'], /is an index folder, which is of --images and has no codes/],
    [[at('x'), '--shard', '3/3'], /--shard: 3\/3 is no shard; they count from 0/],
    [[at('x'), '--shard', 'third'], /third is no shard; write 0\/8 to 7\/8/],
  ];
  for (const [[out, ...flags], message] of refusals) {
    const refused = await run(
      'embed',
      '--model',
      at('unbroken', 'model.safetensors'),
      '--images',
      at('pictures'),
      '--out',
      out,
      ...flags,
    );
    assert.is(refused.code, 1);
    assert.match(refused.stderr, message);
  }
  assert.not.ok(existsSync(at('x')));
});

test.run();
