// sketchgrad serve, as a process of its own.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { connect, Server, type AddressInfo } from 'node:net';
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import type { SearchAnswer } from '../../src/server/search-service.ts';
import { runCaptured } from '../support/command-output.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { testDevice } from '../support/device.ts';
import { checkAnswer } from '../support/openapi.ts';
import { PAGE_MODEL, writeOtherModel, writePictures } from '../support/page-model.ts';
import { killServers, startServe, untilSaid, type ServeProcess } from '../support/serve-process.ts';

/** A name that a careless server would take apart. */
const ODD = 'a b&<i>%2e%2e#?.png';

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const serve = (...words: string[]): Promise<ServeProcess> =>
  startServe(at('pictures'), '--model', PAGE_MODEL, ...words);

const search = async (address: string, file: string, k = 4): Promise<SearchAnswer> => {
  const response = await fetch(`${address}search?k=${k}`, {
    method: 'POST',
    body: new Uint8Array(await readFile(file)),
  });
  assert.is(await checkAnswer('POST', response.url, response), 'post /search 200');
  return (await response.json()) as SearchAnswer;
};

let server: ServeProcess;
test.before(async () => {
  // The adapter of this process is the command's too.
  await testDevice();
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-serve-'));
  const [first] = await writePictures(at('pictures'), 4);
  await copyFile(at('pictures', first, 'noto.png'), at('pictures', ODD));
  await copyFile(at('pictures', first, 'noto.png'), at('outside.png'));
  await symlink(at('outside.png'), at('pictures', 'way-out.png'));
  await symlink(at('pictures', first, 'twemoji.png'), at('pictures', 'within.png'));
  await writeFile(at('pictures', 'damaged.png'), 'no picture');
  // Hidden ones, which are not searched, and a drawing that would have another file drawn into it.
  await mkdir(at('pictures', '.private'));
  await mkdir(at('pictures', '@eaDir'));
  for (const hidden of ['.private/a.png', '@eaDir/b.png', '.c.png', '._d.png'])
    await copyFile(at('outside.png'), at('pictures', hidden));
  await writeFile(
    at('pictures', 'inclusive.svg'),
    `<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48"><rect width="48" height="48" fill="#0f0"/><image width="48" height="48" href="file://${at('outside.png')}"/><image width="48" height="48" href="../outside.png"/></svg>`,
  );
  server = await serve('--index', at('index.safetensors'));
});
test.after(async () => {
  killServers();
  await rm(folder, { recursive: true });
});

test('a vector store is searched as the index is, with filters and thumbnails', async () => {
  const command = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await runOnTestDevice(words);
    assert.is(code, 0, stderr);
  };
  await command('embed', '--model', PAGE_MODEL, '--images', at('pictures'), '--out', at('folder.index'));
  await command('index', 'load', at('folder.index'), '--store', `lance:${at('lance')}`);
  await copyFile(PAGE_MODEL, at('model.safetensors'));
  const store = await startServe(
    at('pictures'),
    ...['--model', at('model.safetensors'), '--store', `lance:${at('lance')}`],
  );
  const query = at('outside.png');
  const found = await search(store.address, query);
  // The index of a folder leaves out links that lead out of it; the store has what embed read.
  const expected = new Map(
    (await search(server.address, query, 40)).neighbours.map(({ path: name, similarity }) => [name, similarity]),
  );
  const common = found.neighbours.filter(({ path: name }) => expected.has(path.relative(at('pictures'), name)));
  assert.ok(common.length >= 2);
  for (const { path: name, similarity } of common)
    assert.ok(Math.abs(similarity - expected.get(path.relative(at('pictures'), name))!) < 1e-5);
  assert.ok(found.more);
  const { row, label } = (await search(store.address, query, 10)).neighbours.find((one) => one.label !== 'pictures')!;
  const thumbnail = await fetch(`${store.address}pictures/${row}`);
  assert.is(thumbnail.headers.get('content-type'), 'image/webp');
  assert.is((await fetch(`${store.address}pictures/${row + 1}`)).status, 404);
  const response = await fetch(`${store.address}search?k=3&label=${label}&folder=${at('pictures')}`, {
    method: 'POST',
    body: new Uint8Array(await readFile(query)),
  });
  const { neighbours } = (await response.json()) as SearchAnswer;
  assert.ok(neighbours.length > 0 && neighbours.every((one) => one.label === label));

  // SIGHUP opens the store again. A model that did not make its vectors leaves the old one in service.
  store.signal('SIGHUP');
  await untilSaid(store, /reloaded: \d+ pictures/);
  await writeOtherModel(at('model.safetensors'));
  store.signal('SIGHUP');
  await untilSaid(
    store,
    /the reload failed, and the model and index of before stay in service: .*has no pictures of the model/,
  );
  assert.equal((await search(store.address, query)).neighbours, found.neighbours);
  assert.is((await store.end()).code, 0);
});

test('the folder is embedded, and a picture finds what sketchgrad search finds', async () => {
  const about = await fetch(`${server.address}about`);
  await checkAnswer('GET', about.url, about);
  assert.is((await fetch(`${server.address}openapi.json`)).status, 200);
  const { pictures } = (await about.json()) as { pictures: number };
  assert.is(
    pictures,
    11,
    '8 pictures, one of an odd name, one by a link within, one SVG; none by a link out, hidden or damaged',
  );
  const query = at('outside.png');
  const { code, stdout, stderr } = await runOnTestDevice([
    'search',
    query,
    '--model',
    PAGE_MODEL,
    '--index',
    at('index.safetensors'),
    '--top',
    '40',
    '--json',
  ]);
  assert.is(code, 0, stderr);
  const [{ results }] = JSON.parse(stdout) as { results: { path: string; score: number }[] }[];
  const expected = results
    .filter(({ path: name }) => !/way-out\.png|\.private|@eaDir|\.c\.png|\._d\.png/.test(name))
    .slice(0, 10)
    .map(({ path: name, score }) => ({ path: path.relative(at('pictures'), name), score }));
  const neighbours = (await search(server.address, query, 10)).neighbours.map(({ path: name, similarity }) => ({
    path: name,
    score: similarity,
  }));
  assert.equal(neighbours, expected);
  const parallel = await Promise.all(Array.from({ length: 12 }, () => search(server.address, query, 10)));
  for (const answer of parallel)
    assert.equal(
      answer.neighbours.map(({ path: name }) => name),
      expected.map(({ path: name }) => name),
    );
});

test('an SVG is drawn without the files that it names', async () => {
  const { neighbours } = await search(server.address, at('outside.png'), 20);
  const row = neighbours.find(({ path: name }) => name === 'inclusive.svg')?.row;
  const thumbnail = Buffer.from(await (await fetch(`${server.address}pictures/${row}`)).arrayBuffer());
  const { channels } = await sharp(thumbnail).stats();
  assert.ok(channels[1].min > 250 && channels[0].max < 5, 'green, and nothing over it');
});

test('a picture that takes long to decode keeps no other request waiting', async () => {
  const large = await sharp({ create: { width: 7000, height: 7000, channels: 3, background: '#a05030' } })
    .jpeg({ quality: 40 })
    .toBuffer();
  let isAnswered = false;
  const searching = fetch(`${server.address}search?k=1`, { method: 'POST', body: new Uint8Array(large) }).then(
    (response) => ((isAnswered = true), response.status),
  );
  let asked = 0;
  while (!isAnswered) {
    assert.is((await fetch(`${server.address}about`)).status, 200);
    asked++;
  }
  assert.is(await searching, 200);
  assert.ok(asked >= 10, `${asked} answers meanwhile`);
});

test('a page of another site may not search', async () => {
  const body = new Uint8Array(await readFile(at('outside.png')));
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${server.address}search`, { method: 'POST', body, headers })).status;
  assert.is(await status({ origin: 'https://evil.example' }), 403);
  assert.is(await status({ origin: new URL(server.address).origin }), 200);
});

test('thumbnails are asked for by row: odd names are shown, and no other file can be had', async () => {
  const { neighbours } = await search(server.address, at('outside.png'), 11);
  for (const { row, path: name } of neighbours) {
    const response = await fetch(`${server.address}pictures/${row}`);
    assert.is(response.status, 200, name);
    assert.is(response.headers.get('content-type'), 'image/webp');
    const { width, height } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
    // An SVG has no size of its own.
    const side = name.endsWith('.svg') ? 256 : 48;
    assert.equal([width, height], [side, side], name);
  }
  assert.ok(neighbours.some(({ path: name }) => name === ODD));
  // Written by hand, since fetch would straighten them.
  for (const address of [
    '/pictures/11',
    '/pictures/-1',
    '/pictures/..%2findex.safetensors',
    '/pictures/../../etc/passwd',
    '/../../etc/passwd',
    '/pictures/',
    '/index.safetensors',
    '//',
    '/%2e%2e/outside.png',
  ]) {
    const status = await new Promise((resolve, reject) =>
      httpRequest(server.address, { path: address }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end(),
    );
    assert.ok(status === 404 || status === 400, `${address}: ${String(status)}`);
  }
});

test('a picture that becomes a link out of the folder is shown no more', async () => {
  const { neighbours } = await search(server.address, at('outside.png'), 10);
  const row = neighbours.find(({ path: name }) => name === ODD)?.row;
  await rm(at('pictures', ODD));
  await symlink(at('outside.png'), at('pictures', ODD));
  assert.is((await fetch(`${server.address}pictures/${row}`)).status, 404);
  await rm(at('pictures', ODD));
  await copyFile(at('outside.png'), at('pictures', ODD));
  assert.is((await fetch(`${server.address}pictures/${row}`)).status, 200);
});

test('the page comes with headers that let nothing else in; methods and names are checked', async () => {
  for (const [name, type] of [
    ['', 'text/html'],
    ['style.css', 'text/css'],
    ['page.js', 'text/javascript'],
    ['about', 'application/json'],
  ]) {
    const response = await fetch(`${server.address}${name}`);
    assert.is(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', type);
    assert.match(response.headers.get('content-security-policy') ?? '', "default-src 'none'");
    assert.is(response.headers.get('x-content-type-options'), 'nosniff');
    const refused = await fetch(`${server.address}${name}`, { method: 'POST' });
    assert.is(refused.status, 405);
    assert.is(refused.headers.get('allow'), 'GET, HEAD');
  }
  const status = await new Promise((resolve, reject) =>
    httpRequest(server.address, { headers: { host: 'rebound.example' } }, (response) =>
      resolve(response.resume().statusCode),
    )
      .on('error', reject)
      .end(),
  );
  assert.is(status, 421);
});

test('Ctrl-C: the search that is under way is answered, then the process ends in order', async () => {
  const body = await readFile(at('outside.png'));
  const socket = connect(Number(new URL(server.address).port), '127.0.0.1');
  let answer = '';
  socket.on('data', (text) => (answer += text.toString()));
  const closed = new Promise((resolve) => socket.on('close', resolve));
  // The server says "100 Continue" once it has the request.
  socket.write(
    `POST /search?k=1 HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  while (!answer.includes('100 Continue')) await once(socket, 'data');
  socket.write(body.subarray(0, 100));
  const ending = server.end();
  await new Promise((resolve) => setTimeout(resolve, 200));
  socket.write(body.subarray(100));
  const { code, stderr } = await ending;
  await closed;
  assert.is(code, 0, stderr);
  assert.match(answer, /^HTTP\/1\.1 200 /m);
  assert.match(stderr, /stopping: searches under way are answered/);
  assert.match(stderr, /damaged\.png/);
  assert.match(stderr, /1 pictures of the index are not in .*way-out\.png/);
});

test('an index that is there is used, and its limits are what the flags say', async () => {
  const before = (await stat(at('index.safetensors'))).mtimeMs;
  await rm(at('pictures', ODD));
  const again = await serve('--index', at('index.safetensors'), '--max-bytes', '200', '--metrics');
  assert.match(await (await fetch(`${again.address}metrics`)).text(), /^sketchgrad_index_rows 10$/m);
  assert.is((await stat(at('index.safetensors'))).mtimeMs, before);
  const { pictures } = (await (await fetch(`${again.address}about`)).json()) as { pictures: number };
  assert.is(pictures, 10);
  assert.is((await fetch(`${again.address}search`, { method: 'POST', body: new Uint8Array(201) })).status, 413);
  assert.is((await again.end()).code, 0);
});

test('what cannot be served is said', async () => {
  const refused = async (message: RegExp, ...words: string[]): Promise<void> => {
    const { code, stderr } = await runCaptured(['serve', ...words]);
    assert.is(code, 1);
    assert.match(stderr, message);
  };
  await mkdir(at('empty'), { recursive: true });
  await refused(/absent is no folder/, at('absent'), '--model', PAGE_MODEL);
  await refused(/empty holds no image/, at('empty'), '--model', PAGE_MODEL);
  await refused(
    /no picture of the index is in/,
    at('empty'),
    '--model',
    PAGE_MODEL,
    '--index',
    at('index.safetensors'),
  );
  await refused(/one folder is served, and there are 2/, at('empty'), at('pictures'), '--model', PAGE_MODEL);
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  // Before the model is read.
  await refused(
    /the port \d+ is in use/,
    at('absent'),
    '--model',
    at('absent'),
    '--port',
    String((other.address() as AddressInfo).port),
  );
  await refused(
    /the port \d+ is in use/,
    at('pictures'),
    '--model',
    PAGE_MODEL,
    '--index',
    at('index.safetensors'),
    '--port',
    String((other.address() as AddressInfo).port),
  );
  other.close();
  await refused(
    /--cors https:\/\/a\.example\/x: an origin is a scheme, a name and a port/,
    at('pictures'),
    '--model',
    PAGE_MODEL,
    '--cors',
    'https://a.example/x',
  );
});

test('before there is anything to search, the port answers 503', async () => {
  const stalled = new Server((socket) => void socket);
  await new Promise<void>((resolve) => stalled.listen(0, '127.0.0.1', resolve));
  const { port } = stalled.address() as AddressInfo;
  stalled.close();
  // Reading the model from a pipe without a writer blocks until the test ends the process.
  const pipe = at('model.pipe');
  execFileSync('mkfifo', [pipe]);
  const child = spawn(process.execPath, [
    fileURLToPath(new URL('../../bin/sketchgrad.mjs', import.meta.url)),
    'serve',
    at('pictures'),
    '--model',
    pipe,
    '--port',
    String(port),
  ]);
  let response: Response | undefined;
  for (let tries = 0; response === undefined && tries < 600; tries++) {
    response = await fetch(`http://127.0.0.1:${port}/about`).catch(() => undefined);
    if (response === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill('SIGKILL');
  assert.is(response?.status, 503);
  assert.is(response?.headers.get('retry-after'), '5');
});

test.run();
