// sketchgrad serve follows its folder, and reads its model again at SIGHUP.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { appendFile, copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { IndexFolder } from '../../src/platform/node/index-folder.ts';
import type { Neighbour, SearchAnswer } from '../../src/server/search-service.ts';
import { testDevice } from '../support/device.ts';
import { smallPageModel, writeOtherModel, writePictures } from '../support/page-model.ts';
import { killServers, startServe, type ServeProcess } from '../support/serve-process.ts';

let folder: string;
let classes: string[];
let server: ServeProcess;
const at = (...names: string[]): string => path.join(folder, ...names);
const picture = (name: string): string => at('pictures', name);

async function search(file: string): Promise<readonly Neighbour[]> {
  const body = new Uint8Array(await readFile(file));
  const response = await fetch(`${server.address}search?k=100`, { method: 'POST', body });
  assert.is(response.status, 200, await response.clone().text());
  return ((await response.json()) as SearchAnswer).neighbours;
}

const rowsNow = async (): Promise<Map<string, number>> =>
  new Map((await search(at('query.png'))).map(({ path: name, row }) => [name, row]));

/** Waits until what is found is as expected. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await holds()) return;
    await delay(50);
  }
  assert.unreachable(`${what}: ${JSON.stringify([...(await rowsNow())])}\n${server.said()}`);
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.address}metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length));
}

test.before(async () => {
  await testDevice();
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-watch-'));
  classes = await writePictures(at('pictures'), 3);
  await writeFile(at('model.safetensors'), await smallPageModel());
  await copyFile(picture(`${classes[0]}/noto.png`), at('query.png'));
  await rename(picture(classes[2]), at('later'));
  server = await startServe(
    at('pictures'),
    ...['--model', at('model.safetensors'), '--index', at('photos.index'), '--metrics'],
  );
});
test.after(async () => {
  killServers();
  await rm(folder, { recursive: true });
});

test('files that come, change, move and go are followed while searches run; rows stay', async () => {
  const before = await rowsNow();
  assert.is(before.size, 4);
  let isOver = false;
  let answered = 0;
  const searching = (async () => {
    while (!isOver) {
      const found = await search(at('query.png'));
      assert.is(new Set(found.map(({ path: name }) => name)).size, found.length, 'each picture once');
      for (const { path: name, row } of found) if (before.has(name)) assert.is(row, before.get(name), name);
      answered++;
      await delay(20);
    }
  })();

  // Half of a file, and the rest after it was found not to be a picture.
  const bytes = await readFile(at('later/noto.png'));
  await writeFile(picture('half.png'), bytes.subarray(0, bytes.length / 2));
  await until(
    'the half is skipped',
    async () => (await metric('sketchgrad_picture_changes_total{change="skipped"}')) > 0,
  );
  assert.not.ok((await rowsNow()).has('half.png'));
  await appendFile(picture('half.png'), bytes.subarray(bytes.length / 2));
  await until('the whole is found', async () => (await rowsNow()).get('half.png') === 4);

  await rename(at('later'), picture('moved-in'));
  await until('a folder that is moved in', async () => (await rowsNow()).size === 7);
  await rename(picture('half.png'), picture('whole.png'));
  await rename(picture('moved-in'), picture('renamed'));
  await until('the new names', async () => [...(await rowsNow()).keys()].every((name) => !/half|moved-in/.test(name)));
  const rows = await rowsNow();
  assert.is(rows.size, 7);
  for (const [name, row] of before) assert.is(rows.get(name), row);
  isOver = true;
  await searching;
  assert.ok(answered > 0);

  // Another content is another row: a browser may have kept the thumbnail of the old one.
  await copyFile(picture('renamed/twemoji.png'), picture('renamed/noto.png'));
  await until(
    'the changed picture',
    async () => (await rowsNow()).get('renamed/noto.png') !== rows.get('renamed/noto.png'),
  );
  await rm(picture('whole.png'));
  await until('the removed picture', async () => !(await rowsNow()).has('whole.png'));
  assert.is((await fetch(`${server.address}pictures/${rows.get('whole.png')}`)).status, 404);
  const like = await fetch(`${server.address}search?like=${rows.get('whole.png')}`);
  assert.is(like.status, 400);
  assert.match(await like.text(), /was removed from the index/);
  assert.is(await metric('sketchgrad_index_rows'), 6);
  assert.is(await metric('sketchgrad_picture_changes_total{change="changed"}'), 1);

  await until('the index on disk', async () => {
    const index = await IndexFolder.open(at('photos.index'));
    return (
      index.count === 6 &&
      (await index.pictures(index.manifest.parts[0])).every(({ path: name }) => !name.endsWith('whole.png'))
    );
  });
  const index = await IndexFolder.open(at('photos.index'));
  const stored = await index.pictures(index.manifest.parts[0]);
  const names = [...(await rowsNow()).keys()].map((name) => path.join(at('pictures'), name));
  assert.equal(
    stored.map((one) => one.path),
    names.sort(),
  );
  for (const { path: name, digest } of stored)
    assert.is(
      digest,
      createHash('sha256')
        .update(await readFile(name))
        .digest('hex'),
      name,
    );
});

test('SIGHUP reads the model again; one that cannot be used leaves the old one in service', async () => {
  const about = async (): Promise<{ model: string }> =>
    (await (await fetch(`${server.address}about`)).json()) as { model: string };
  const old = await about();
  const rows = await rowsNow();
  const reload = async (result: string): Promise<void> => {
    const name = `sketchgrad_reloads_total{result="${result}"}`;
    const before = await metric(name);
    server.signal('SIGHUP');
    await until(`a reload ends with ${result}`, async () => (await metric(name)) > before);
  };
  const model = await readFile(at('model.safetensors'));
  await writeFile(at('model.safetensors'), model.subarray(0, model.length / 2));
  await reload('SafetensorsError');
  await writeOtherModel(at('model.safetensors'));
  // Its index was made by the old model.
  await reload('IndexModelMismatchError');
  assert.equal([await about(), await rowsNow()], [old, rows]);
  assert.match(
    server.said(),
    /the reload failed, and the model and index of before stay in service: IndexModelMismatch/,
  );

  await rm(at('photos.index'), { recursive: true });
  await reload('done');
  assert.is.not((await about()).model, old.model);
  assert.equal(await rowsNow(), rows, 'the rows of before');
  // The folder is still watched, once.
  await copyFile(at('query.png'), picture('new.png'));
  await until('a picture that came after the reload', async () => (await rowsNow()).size === rows.size + 1);
  const { code, stderr } = await server.end();
  assert.is(code, 0, stderr);
});

test('a list of tar members and addresses is served with thumbnails', async () => {
  const [name] = classes;
  const archive = pack();
  for (const file of ['noto.png', 'twemoji.png'])
    archive.entry({ name: `${name}/${file}` }, await readFile(picture(`${name}/${file}`)));
  archive.finalize();
  await writeFile(at('shard.tar'), await buffer(archive));
  const site = createServer((_, response) => void readFile(at('query.png')).then((bytes) => response.end(bytes)));
  await once(site.listen(0, '127.0.0.1'), 'listening');
  const address = `http://127.0.0.1:${(site.address() as AddressInfo).port}/${encodeURIComponent(name)}/a.png`;
  try {
    await writeFile(at('list.txt'), `shard.tar\n${address}\n`);
    await writeFile(at('small.safetensors'), await smallPageModel());
    server = await startServe(at('list.txt'), '--model', at('small.safetensors'));
    const found = await search(at('query.png'));
    assert.equal(
      found.map(({ path: file }) => file).sort(),
      [address, ...['noto.png', 'twemoji.png'].map((file) => `${at('shard.tar')}/${name}/${file}`)].sort(),
    );
    for (const { row } of found)
      assert.is((await fetch(`${server.address}pictures/${row}`)).headers.get('content-type'), 'image/webp');
    const { code, stderr } = await server.end();
    assert.is(code, 0, stderr);
  } finally {
    site.close();
    site.closeAllConnections();
  }
});

test.run();
