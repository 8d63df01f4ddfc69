/**
 * `embed` and `serve` over a folder of very many pictures: both must take it to its end, and find the picture that is
 * looked for. Prints how long each took, and the most memory that it held.
 *
 *   npx tsx scripts/trials/large-folder.ts [COUNT]
 *
 * Half of the pictures lie in one folder, and the others in folders of 100. They are links to a few small files, and
 * the page's model sees them at 16 px: what is tried is what grows with their number.
 */
import { spawn } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { openIndex } from '../../src/retrieval/index-file.ts';
import { serializeModel } from '../../src/models/model-file.ts';
import { readPageModel } from '../../test/support/page-model.ts';

const BIN = fileURLToPath(new URL('../../bin/sketchgrad.mjs', import.meta.url));
const SIDE = 16;
/** File systems bound the links to one file; ext4 takes 65,000. */
const MOST_LINKS = 10_000;
const FOLDER = 100;
const POLL_MILLISECONDS = 200;

const count = Number(process.argv[2] ?? 130_000);
const root = await mkdtemp(path.join(tmpdir(), 'sketchgrad-large-folder-'));
const at = (...names: string[]): string => path.join(root, ...names);
const failures: string[] = [];
const expect = (holds: boolean, what: string): void => void (holds || failures.push(what));

/** Starts the command and watches its memory. */
function start(...words: string[]) {
  const started = performance.now();
  const child = spawn(process.execPath, [BIN, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let most = 0;
  const watch = setInterval(() => {
    try {
      most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, POLL_MILLISECONDS);
  const said = { text: '' };
  child.stdout.on('data', (text: Buffer) => (said.text += text.toString()));
  const ended = new Promise<number | null>((resolve) =>
    child.on('close', (code) => {
      clearInterval(watch);
      resolve(code);
    }),
  );
  const figures = (what: string): void =>
    void process.stdout.write(
      `${what}: ${((performance.now() - started) / 1000).toFixed(1)} s, at most ${Math.round(most / 1024)} MiB\n`,
    );
  return { child, said, ended, figures };
}

try {
  const model = at('model.safetensors');
  const { state, about } = await readPageModel();
  await writeFile(model, await serializeModel({ state, about: { ...about, imageSize: SIDE } }));
  mkdirSync(at('files'));
  mkdirSync(at('pictures', 'wide'), { recursive: true });
  for (let index = 0; index < count; index++) {
    const file = at('files', `${Math.floor(index / MOST_LINKS)}.png`);
    if (index % MOST_LINKS === 0)
      await sharp({
        create: { width: SIDE, height: SIDE, channels: 3, background: { r: (37 * index) / MOST_LINKS, g: 90, b: 200 } },
      })
        .png()
        .toFile(file);
    const folder = index % 2 === 0 ? 'wide' : `${Math.floor(index / (2 * FOLDER))}`;
    if (index % (2 * FOLDER) === 1) mkdirSync(at('pictures', folder));
    linkSync(file, at('pictures', folder, `${index}.png`));
  }
  // One that is told from all others.
  const only = at('pictures', 'only.png');
  await sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: '#ffffff' } })
    .composite([{ input: Buffer.from(`<svg width="${SIDE}" height="${SIDE}"><circle cx="8" cy="8" r="5"/></svg>`) }])
    .png()
    .toFile(only);

  const index = at('index.safetensors');
  const embed = start('embed', '--model', model, '--images', at('pictures'), '--out', index);
  expect((await embed.ended) === 0, `embed: ${embed.said.text}`);
  embed.figures(`embed, ${count + 1} pictures`);
  const { paths } = openIndex(await readFile(index), index);
  expect(new Set(paths).size === count + 1, `the index has ${paths.length} pictures`);

  const serve = start('serve', at('pictures'), '--model', model, '--index', index, '--port', '0');
  const address = await new Promise<string>((resolve, reject) => {
    serve.child.stdout.on('data', () => {
      const found = /http:\/\/\S+/.exec(serve.said.text)?.[0];
      if (found !== undefined) resolve(found);
    });
    void serve.ended.then((code) => reject(new Error(`serve ended with ${code}`)));
  });
  serve.figures('serve, until it listens');
  const { pictures } = (await (await fetch(`${address}about`)).json()) as { pictures: number };
  expect(pictures === count + 1, `serve has ${pictures} pictures`);
  const { neighbours } = (await (
    await fetch(`${address}search?k=3`, { method: 'POST', body: new Uint8Array(await readFile(only)) })
  ).json()) as { neighbours: { path: string }[] };
  expect(neighbours[0]?.path === 'only.png', `the nearest is ${neighbours[0]?.path}`);
  serve.child.kill('SIGINT');
  expect((await serve.ended) === 0, 'serve did not end in order');
  serve.figures('serve, with a search, until it ended');
} finally {
  await rm(root, { recursive: true });
}
process.stdout.write(failures.length === 0 ? 'no failure\n' : `${failures.join('\n')}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
