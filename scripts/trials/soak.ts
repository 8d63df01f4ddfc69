/**
 * Searches against `sketchgrad serve` for minutes, with pictures that are good, damaged, too large, of other kinds and
 * broken off, and watches the server's memory: after a first tenth of the time it must stay flat, every good picture
 * must be answered, and the server must end in order.
 *
 *   npx tsx scripts/trials/soak.ts [MINUTES]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { RandomStream } from '../../src/random/philox.ts';
import { PAGE_MODEL, writePictures } from '../../test/support/page-model.ts';

const BIN = fileURLToPath(new URL('../../bin/sketchgrad.mjs', import.meta.url));
/** Milliseconds of a query that was answered well before the next comes; the machine has other work. */
const PAUSE = 100;
const CONCURRENT = 4;
/** Growth over the time that counts, in MiB: what V8's heap varies by between collections. */
const ALLOWED_GROWTH = 48;
const MEBIBYTE = 2 ** 20;

const minutes = Number(process.argv[2] ?? 20);
const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-soak-'));
await writePictures(path.join(folder, 'pictures'), 20);
const drawing = await sharp({ create: { width: 400, height: 300, channels: 3, background: '#ffffff' } })
  .composite([
    {
      input: Buffer.from(
        '<svg width="400" height="300"><path d="M50 200L200 50L350 200" fill="none" stroke="#000" stroke-width="8"/></svg>',
      ),
    },
  ])
  .png()
  .toBuffer();
const photo = await sharp({ create: { width: 2000, height: 1500, channels: 3, background: '#a05030' } })
  .jpeg()
  .toBuffer();

const child = spawn(
  process.execPath,
  [BIN, 'serve', path.join(folder, 'pictures'), '--model', PAGE_MODEL, '--port', '0'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
const address = await new Promise<string>((resolve, reject) => {
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const found = /http:\/\/\S+/.exec((text += chunk.toString()))?.[0];
    if (found !== undefined) resolve(found);
  });
  void ended.then((code) => reject(new Error(`serve ended with ${code}`)));
});

const counts = new Map<string, number>();
const failures: string[] = [];
const random = new RandomStream(0, 0, [2, 0]);
const post = (body: Uint8Array): Promise<Response> =>
  fetch(`${address}search?k=5`, { method: 'POST', body: new Uint8Array(body) });
const expectStatus = async (response: Promise<Response>, status: number, kind: string): Promise<void> => {
  const answer = await response;
  const text = await answer.text();
  if (answer.status !== status) failures.push(`${kind}: ${answer.status} ${text.slice(0, 200)}`);
};
const QUERIES: Readonly<Record<string, () => Promise<void>>> = {
  drawing: () => expectStatus(post(drawing), 200, 'drawing'),
  photo: () => expectStatus(post(photo), 200, 'photo'),
  damaged: () => expectStatus(post(photo.subarray(0, photo.length >> 1)), 400, 'damaged'),
  foreign: () => expectStatus(post(Buffer.from('GIF89a and so on and on')), 415, 'foreign'),
  large: () => expectStatus(post(Buffer.alloc(9_000_000, 7)), 413, 'large'),
  about: () => expectStatus(fetch(`${address}about`), 200, 'about'),
  thumbnail: () => expectStatus(fetch(`${address}pictures/3`), 200, 'thumbnail'),
  async aborted() {
    const gone = new AbortController();
    const searching = fetch(`${address}search`, {
      method: 'POST',
      body: new Uint8Array(photo),
      signal: gone.signal,
    }).catch(() => undefined);
    await delay(5);
    gone.abort();
    await searching;
  },
  async half() {
    const socket = connect(Number(new URL(address).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${photo.length}\r\n\r\n`);
    socket.write(photo.subarray(0, 500));
    await delay(20);
    socket.destroy();
  },
};
const kinds = Object.keys(QUERIES);

const end = performance.now() + 60_000 * minutes;
const samples: number[] = [];
await Promise.all([
  ...Array.from({ length: CONCURRENT }, async () => {
    while (performance.now() < end && child.exitCode === null) {
      const kind = kinds[Math.floor(random.uniform() * kinds.length)];
      await QUERIES[kind]().catch((error: unknown) => failures.push(`${kind}: ${String(error)}`));
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      await delay(PAUSE);
    }
  }),
  (async () => {
    while (performance.now() < end && child.exitCode === null) {
      const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      samples.push((Number(kilobytes) * 1024) / MEBIBYTE);
      await delay(1000);
    }
  })(),
]);

child.kill('SIGINT');
const code = await ended;
await rm(folder, { recursive: true });

// The median of each tenth, since a single sample may be taken before a collection.
const tenth = Math.max(1, Math.floor(samples.length / 10));
const medians = Array.from(
  { length: 10 },
  (_, part) => samples.slice(part * tenth, (part + 1) * tenth).sort((a, b) => a - b)[tenth >> 1],
);
const growth = medians[9] - medians[1];
console.log(
  `${minutes} min, ${[...counts.values()].reduce((sum, count) => sum + count, 0)} requests (${[...counts].map(([kind, count]) => `${kind} ${count}`).join(', ')})`,
);
console.log(
  `memory of the server by tenths, MiB: ${medians.map((value) => value?.toFixed(0)).join(' ')}; growth from the second to the last ${growth.toFixed(1)}`,
);
if (code !== 0) failures.push(`serve ended with ${code}`);
if (!(growth < ALLOWED_GROWTH)) failures.push(`the memory grew by ${growth.toFixed(1)} MiB`);
console.log(failures.length === 0 ? 'flat, and nothing failed' : failures.slice(0, 20).join('\n'));
process.exitCode = failures.length === 0 ? 0 : 1;
