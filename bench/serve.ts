// npm run bench:serve: searches a second of `sketchgrad serve` under many clients, and how long others wait meanwhile.
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { readModelFile, searchModelPath } from '../src/cli/files/model-file.ts';
import { textTable } from '../src/cli/display/text-table.ts';
import { readModelDescription } from '../src/models/retrieval-model.ts';
import { ADAPTER_CHOICES, adapterEnvironment } from '../src/platform/adapter.ts';
import { serializeIndex } from '../src/retrieval/index-file.ts';
import { clusteredRows } from './support/clustered-rows.ts';
import { mistakesByName } from './support/mistakes.ts';
import { adapterChoice, positiveInteger, positiveIntegers } from './support/options.ts';
import { median, quantile } from '../src/benchmark/statistics.ts';

const USAGE = `npm run bench:serve -- [options]
  Starts sketchgrad serve with the shipped search model on indexes of random vectors. Clients send a drawing, wait for the
  answer and send the next one; another one requests GET /about 20 times a second. The smallest index has hardly any
  ranking: the time of a request beyond that index's is what the gallery costs.

  --rows LIST         pictures of an index (100,100000)
  --clients N         (64)
  --seconds N         of each (20), after 5 s of warming up
  --adapter NAME      ${ADAPTER_CHOICES.join(', ')} (auto)
  --help`;

const FLAGS = {
  rows: { type: 'string', default: '100,100000' },
  clients: { type: 'string', default: '64' },
  seconds: { type: 'string', default: '20' },
  adapter: { type: 'string', default: 'auto' },
  help: { type: 'boolean' },
} as const;

const WARM_UP_SECONDS = 5;
const ABOUT_EVERY_MILLISECONDS = 50;
/** Links to one file: file systems allow some 65,000. */
const LINKS = 30000;
const DRAWINGS = 16;

interface Load {
  readonly rows: number;
  readonly perSecond: number;
  readonly search: readonly number[];
  readonly about: readonly number[];
  readonly rank: readonly number[];
  /** Requests that were answered by another status than 200, and connections that broke. */
  readonly refused: number;
  readonly broken: number;
}

await mistakesByName(async () => {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help === true) return console.log(USAGE);
  const [clients, seconds] = (['clients', 'seconds'] as const).map((name) => positiveInteger(name, values[name]));
  const environment = { ...process.env, ...(await adapterEnvironment(adapterChoice(values.adapter))) };
  const model = searchModelPath(undefined);
  const file = await readModelFile(model, '--model');
  const { embedding } = readModelDescription(file, model).settings;
  const drawings = await Promise.all(Array.from({ length: DRAWINGS }, (_, i) => drawing(i)));
  const results: Load[] = [];
  for (const rows of positiveIntegers('rows', values.rows)) {
    const folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-serve-'));
    try {
      const index = await writeGallery(folder, rows, embedding, file.checksum);
      results.push(
        await measure(path.join(folder, 'pictures'), index, rows, { clients, seconds, drawings, environment }),
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  const [first] = results;
  console.log(`${clients} clients, ${seconds} s each; load ${loadavg()[0].toFixed(1)}\n`);
  console.log(
    textTable(
      [
        'pictures',
        'searches a second',
        'beyond the first',
        'search p50, ms',
        'p99',
        'rank p50',
        'GET /about p50',
        'p99',
        'refused',
        'broken',
      ],
      results.map((load) => [
        String(load.rows),
        load.perSecond.toFixed(1),
        load === first ? '' : beyond(load.perSecond, first.perSecond),
        median(load.search).toFixed(0),
        quantile(load.search, 0.99).toFixed(0),
        median(load.rank).toFixed(1),
        median(load.about).toFixed(1),
        quantile(load.about, 0.99).toFixed(1),
        String(load.refused),
        String(load.broken),
      ]),
    ),
  );
});

/** Searches a second if all but the ranking took no time. */
function beyond(perSecond: number, base: number): string {
  const extra = 1 / perSecond - 1 / base;
  return extra <= 0 ? 'no more' : (1 / extra).toFixed(0);
}

/** A few strokes. */
function drawing(seed: number): Promise<Buffer> {
  const at = (i: number): number => 20 + ((seed * 37 + i * 71) % 160);
  const points = Array.from({ length: 6 }, (_, i) => `${at(2 * i)},${at(2 * i + 1)}`).join(' ');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200"><rect width="200" height="200" fill="white"/><polyline points="${points}" fill="none" stroke="black" stroke-width="5"/></svg>`;
  return sharp(Buffer.from(svg)).png().toBuffer();
}

/** A folder of so many links to a picture, and an index of random vectors. @returns the path of the index */
async function writeGallery(folder: string, rows: number, dimension: number, modelChecksum: string): Promise<string> {
  const pictures = path.join(folder, 'pictures');
  await mkdir(pictures);
  const picture = await drawing(0);
  const paths: string[] = [];
  for (let row = 0; row < rows; row++) {
    const name = path.join(pictures, `${row}.png`);
    if (row % LINKS === 0) await writeFile(name, picture);
    else await link(path.join(pictures, `${row - (row % LINKS)}.png`), name);
    paths.push(name);
  }
  const index = path.join(folder, 'index.safetensors');
  const embeddings = new Float32Array(clusteredRows(rows, dimension, 0));
  await writeFile(index, serializeIndex({ embeddings, dimension, paths, modelChecksum }));
  return index;
}

interface Settings {
  readonly clients: number;
  readonly seconds: number;
  readonly drawings: readonly Buffer[];
  readonly environment: NodeJS.ProcessEnv;
}

async function measure(pictures: string, index: string, rows: number, settings: Settings): Promise<Load> {
  const program = fileURLToPath(new URL('../bin/sketchgrad.mjs', import.meta.url));
  const server = spawn(process.execPath, [program, 'serve', pictures, '--index', index, '--no-watch', '--port', '0'], {
    env: settings.environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<never>((_, reject) =>
    server.on('close', (code) => reject(new Error(`serve ended with ${code}`))),
  );
  ended.catch(() => undefined);
  try {
    const address = await Promise.race([
      ended,
      new Promise<string>((resolve) => {
        let text = '';
        server.stdout.on('data', (part: Buffer) => {
          const found = /http:\/\/\S+/.exec((text += part.toString()))?.[0];
          if (found !== undefined) resolve(found);
        });
      }),
    ]);
    return await Promise.race([ended, loadOf(address, rows, settings)]);
  } finally {
    server.removeAllListeners('close');
    const closed = new Promise((resolve) => server.on('close', resolve));
    server.kill('SIGINT');
    await closed;
  }
}

async function loadOf(address: string, rows: number, { clients, seconds, drawings }: Settings): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients + 1 });
  // The port is bound before the model is read.
  while ((await send(agent, `${address}search?k=10`, drawings[0]).catch(() => undefined))?.status !== 200)
    await delay(100);
  const [search, about, rank]: number[][] = [[], [], []];
  let [refused, broken] = [0, 0];
  let counting = false;
  let stopping = false;
  const take = async (into: number[], url: string, body?: Buffer): Promise<void> => {
    const start = performance.now();
    try {
      const { status, text } = await send(agent, url, body);
      if (!counting) return;
      if (status !== 200) return void refused++;
      into.push(performance.now() - start);
      if (body !== undefined) rank.push((JSON.parse(text) as { times: { rank: number } }).times.rank);
    } catch {
      broken++;
    }
  };
  const running = Array.from({ length: clients }, async (_, client) => {
    for (let i = client; !stopping; i++) await take(search, `${address}search?k=10`, drawings[i % drawings.length]);
  });
  running.push(
    (async () => {
      for (; !stopping; await delay(ABOUT_EVERY_MILLISECONDS)) await take(about, `${address}about`);
    })(),
  );
  await delay(1000 * WARM_UP_SECONDS);
  counting = true;
  const start = performance.now();
  await delay(1000 * seconds);
  counting = false;
  const perSecond = (1000 * search.length) / (performance.now() - start);
  stopping = true;
  await Promise.all(running);
  agent.destroy();
  return { rows, perSecond, search, about, rank, refused, broken };
}

function send(agent: Agent, url: string, body?: Buffer): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: body === undefined ? 'GET' : 'POST' }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
