// The boundary, with a search behind it that computes nothing.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import sharp from 'sharp';
import { ImageError } from '../../src/platform/node/images.ts';
import { MOST_SKETCHES } from '../../src/retrieval/mean-embedding.ts';
import { pictureKind } from '../../src/server/picture-body.ts';
import { searchHandler, type Searcher } from '../../src/server/search-handler.ts';
import type { SearchAnswer } from '../../src/server/search-service.ts';

const LIMITS = { mostBytes: 20_000, mostPixels: 10_000, mostSide: 5_000, mostRequests: 2 };
const ANSWER: SearchAnswer = {
  nothingLike: false,
  neighbours: [],
  more: false,
  times: { decode: 0, wait: 0, embed: 0, rank: 0 },
};

const blank = sharp({ create: { width: 100, height: 100, channels: 3, background: '#ffffff' } });
const KINDS = {
  png: await blank.clone().png().toBuffer(),
  jpeg: await blank.clone().jpeg().toBuffer(),
  webp: await blank.clone().webp().toBuffer(),
};

/** What was searched for, and a search that can be held up. */
const searched: { bytes: Uint8Array; others: Uint8Array[]; k: number; signal: AbortSignal }[] = [];
let held: Promise<void> | undefined;
let failure: Error | undefined;
const searcher: Searcher = {
  async search([bytes, ...others], k, signal) {
    searched.push({ bytes, others, k, signal });
    await held;
    if (failure !== undefined) throw failure;
    return ANSWER;
  },
};

let server: Server;
let port: number;
const failures: unknown[] = [];
test.before(async () => {
  const handle = searchHandler(searcher, LIMITS, (error) => failures.push(error));
  server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
test.before.each(() => {
  searched.length = failures.length = 0;
  held = failure = undefined;
});
test.after(() => {
  server.close();
  server.closeAllConnections();
});

const post = async (
  body: Uint8Array,
  query = '',
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; answer: SearchAnswer & { error?: string } }> => {
  const response = await fetch(`http://127.0.0.1:${port}/${query}`, {
    method: 'POST',
    body: new Uint8Array(body),
    headers,
  });
  return {
    status: response.status,
    headers: response.headers,
    answer: (await response.json()) as SearchAnswer & { error?: string },
  };
};

/**
 * Sends by hand, so that a body can stay unfinished. @returns all that comes back until the server ends the connection
 */
async function sendRaw(...parts: (string | Uint8Array)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  for (const part of parts) socket.write(part);
  let received = '';
  for await (const chunk of socket) received += String(chunk);
  return received;
}

test('PNG, JPEG and WebP are searched for as they come, whatever their header says', async () => {
  for (const bytes of Object.values(KINDS)) {
    const { status, headers, answer } = await post(bytes, '?k=3', { 'content-type': 'text/plain' });
    assert.is(status, 200, answer.error);
    assert.equal(answer, ANSWER);
    assert.match(headers.get('content-type') ?? '', 'application/json');
    assert.is(headers.get('x-content-type-options'), 'nosniff');
    const last = searched.at(-1);
    assert.is(last?.k, 3);
    assert.equal(Buffer.from(last?.bytes ?? []), bytes);
  }
  await post(KINDS.png);
  assert.is(searched.at(-1)?.k, 10);
});

test('415 for what is another kind by its content, though its header says image/png', async () => {
  for (const body of [
    '<svg xmlns="http://www.w3.org/2000/svg"/>',
    'GIF89a and so on and on',
    'RIFF....WAVEfmt ',
    '\x89PN',
  ]) {
    const { status, headers, answer } = await post(Buffer.from(body, 'latin1'), '', { 'content-type': 'image/png' });
    assert.is(status, 415, body);
    assert.match(headers.get('accept') ?? '', 'image/webp');
    assert.match(answer.error ?? '', 'neither PNG nor JPEG nor WebP');
  }
  assert.is(searched.length, 0);
  for (const kind of ['png', 'jpeg', 'webp'] as const) assert.is(pictureKind(KINDS[kind]), kind);
  assert.is(pictureKind(new Uint8Array(0)), undefined);
});

test('400 for an empty body, a picture that is cut off, and a k that is none', async () => {
  assert.is((await post(new Uint8Array(0))).status, 400);
  assert.is((await post(KINDS.png.subarray(0, 20))).status, 400);
  failure = new ImageError('the picture', new Error('damaged'));
  assert.is((await post(KINDS.png)).status, 400);
  failure = undefined;
  for (const k of ['0', '-1', '1.5', '1e3', 'ten', '1001', '', ' 5'])
    assert.match((await post(KINDS.png, `?k=${encodeURIComponent(k)}`)).answer.error ?? '', 'k must be a whole number');
  assert.equal(failures, []);
});

test('413 for too many bytes: at once where the header says so, else as soon as they are there, and not read on', async () => {
  const declared = await sendRaw(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${LIMITS.mostBytes + 1}\r\n\r\n`);
  assert.match(declared, /^HTTP\/1\.1 413 /);
  assert.match(declared, /connection: close/i);
  // A stream that says no length, and would not end: the answer comes all the same.
  const chunk = Buffer.concat([KINDS.png, Buffer.alloc(LIMITS.mostBytes)]);
  const streamed = await sendRaw(
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
    `${chunk.length.toString(16)}\r\n`,
    chunk,
  );
  assert.match(streamed, /^HTTP\/1\.1 413 /);
  assert.is(searched.length, 0);
});

test('413 for too many pixels, before they are unpacked', async () => {
  const large = await sharp({ create: { width: 101, height: 100, channels: 3, background: '#ffffff' } })
    .png()
    .toBuffer();
  const { status, answer } = await post(large);
  assert.is(status, 413);
  assert.match(answer.error ?? '', '101 x 100');
  assert.is(searched.length, 0);
});

test('413 for a side that is too long, whatever the number of pixels', async () => {
  const long = await sharp({ create: { width: 1, height: LIMITS.mostSide + 1, channels: 3, background: '#ffffff' } })
    .png()
    .toBuffer();
  const { status, answer } = await post(long);
  assert.is(status, 413);
  assert.match(answer.error ?? '', 'a side of a picture may have 5000 pixels at most');
  assert.is(searched.length, 0);
});

test('the files of a form search together; other forms are refused', async () => {
  const send = async (form: FormData): Promise<{ status: number; error?: string }> => {
    const response = await fetch(`http://127.0.0.1:${port}/?k=2`, { method: 'POST', body: form });
    return { status: response.status, error: ((await response.json()) as { error?: string }).error };
  };
  const file = (bytes: Uint8Array): Blob => new Blob([new Uint8Array(bytes)], { type: 'application/octet-stream' });
  const one = new FormData();
  one.append('note', 'drawn today');
  one.append('sketch', file(KINDS.png), 'a.png');
  assert.equal(await send(one), { status: 200, error: undefined });
  assert.equal(Buffer.from(searched.at(-1)?.bytes ?? []), KINDS.png);
  one.append('second', file(KINDS.jpeg), 'b.jpg');
  // Two blank pictures have twice as many pixels as one may have.
  assert.match((await send(one)).error ?? '', 'the pictures of a form together may have 0.01 million pixels at most');
  const tiny = await sharp({ create: { width: 30, height: 30, channels: 3, background: '#ffffff' } })
    .png()
    .toBuffer();
  const several = new FormData();
  for (let count = 1; count <= MOST_SKETCHES; count++) several.append('sketch', file(tiny), `${count}.png`);
  assert.equal(await send(several), { status: 200, error: undefined });
  assert.equal(
    searched.at(-1)?.others.map((bytes) => Buffer.from(bytes)),
    Array.from({ length: MOST_SKETCHES - 1 }, () => tiny),
  );
  several.append('sketch', file(tiny), 'more.png');
  assert.match(
    (await send(several)).error ?? '',
    `must have 1 to ${MOST_SKETCHES} files, the pictures, and has ${MOST_SKETCHES + 1}`,
  );
  const none = new FormData();
  none.append('note', 'nothing');
  assert.is((await send(none)).status, 400);
  const other = new FormData();
  other.append('sketch', file(Buffer.from('GIF89a and so on and on')), 'a.png');
  assert.is((await send(other)).status, 415);
  const large = new FormData();
  large.append('sketch', file(Buffer.concat([KINDS.png, Buffer.alloc(LIMITS.mostBytes)])), 'a.png');
  assert.is((await send(large)).status, 413);
  const broken = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    body: 'no boundary',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  });
  assert.is(broken.status, 400);
});

test('a refusal arrives though the sender is still at it: the connection is not reset', async () => {
  for (let time = 0; time < 5; time++) {
    const { status } = await post(Buffer.alloc(3_000_000, 7));
    assert.is(status, 413);
  }
});

test('GET searches by rows alone, and is refused without', async () => {
  const liked = await fetch(`http://127.0.0.1:${port}/?like=3&k=2`);
  assert.is(liked.status, 200);
  assert.equal(await liked.json(), ANSWER);
  assert.is(searched.at(-1)?.bytes, undefined);
  const bare = await fetch(`http://127.0.0.1:${port}/`);
  assert.is(bare.status, 400);
  assert.match(
    ((await bare.json()) as { error: string }).error,
    /GET searches by a row of the index, such as \?like=17/,
  );
});

test('405 names the method that there is', async () => {
  for (const method of ['PUT', 'DELETE', 'PATCH']) {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method });
    assert.is(response.status, 405);
    assert.is(response.headers.get('allow'), 'GET, POST');
  }
});

test('503 with Retry-After while as many as may be are under way, and none later', async () => {
  let release = (): void => undefined;
  held = new Promise((resolve) => (release = resolve));
  const running = [post(KINDS.png), post(KINDS.jpeg)];
  while (searched.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const refused = await post(KINDS.png);
  assert.is(refused.status, 503);
  assert.is(refused.headers.get('retry-after'), '1');
  release();
  assert.equal(
    (await Promise.all(running)).map(({ status }) => status),
    [200, 200],
  );
  assert.is((await post(KINDS.png)).status, 200);
});

test('a body that does not come whole takes no place from those that do', async () => {
  const slow = Array.from({ length: 3 * LIMITS.mostRequests }, () => {
    const sender = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': '5000' } });
    sender.on('error', () => undefined);
    sender.write(KINDS.png.subarray(0, 50));
    return sender;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.is((await post(KINDS.png)).status, 200);
  for (const sender of slow) sender.destroy();
});

test('who breaks off in the middle of a body leaves no trace, and gives the place free', async () => {
  for (let time = 0; time < 2 * LIMITS.mostRequests; time++) {
    const sender = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': '5000' } });
    sender.on('error', () => undefined);
    const arrived = once(server, 'request') as Promise<[IncomingMessage]>;
    sender.write(KINDS.png.subarray(0, 50));
    const [received] = await arrived;
    sender.destroy();
    await new Promise((resolve) => received.once('close', resolve));
  }
  assert.is((await post(KINDS.png)).status, 200);
  assert.is(searched.length, 1);
  assert.equal(failures, []);
});

test('who goes away while the search runs is told to the search', async () => {
  let release = (): void => undefined;
  held = new Promise((resolve) => (release = resolve));
  const sender = httpRequest({ port, host: '127.0.0.1', method: 'POST' });
  sender.on('error', () => undefined);
  sender.end(KINDS.png);
  while (searched.length < 1) await new Promise((resolve) => setImmediate(resolve));
  assert.not(searched[0].signal.aborted);
  sender.destroy();
  while (!searched[0].signal.aborted) await new Promise((resolve) => setImmediate(resolve));
  release();
  assert.is((await post(KINDS.png)).status, 200);
});

test("500 for the server's own failures, whose cause is told to the server only", async () => {
  failure = new Error('a secret of the device');
  const { status, answer } = await post(KINDS.png);
  assert.is(status, 500);
  assert.equal(answer, { error: 'the server failed' } as unknown as SearchAnswer);
  assert.equal(failures, [failure]);
});

test.run();
