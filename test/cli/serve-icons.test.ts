// sketchgrad serve --icons, as a process of its own, with the model that the package brings.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import type { IconSearchAnswer } from '../../src/server/icon-search-service.ts';
import { runCaptured } from '../support/command-output.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { testDevice } from '../support/device.ts';
import { installSet, removeSet, SHAPES } from '../support/icon-sets.ts';
import { checkAnswer } from '../support/openapi.ts';
import { killServers, startServe, untilSaid, type ServeProcess } from '../support/serve-process.ts';

let folder: string;
let server: ServeProcess;
const at = (...names: string[]): string => path.join(folder, ...names);

/** A drawing of the house in a corner of a large page. */
const drawing = (): Promise<Buffer> =>
  sharp(
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="600" height="400" viewBox="-60 -2 150 100">${SHAPES.house.body}</svg>`,
    ),
  )
    .flatten({ background: '#fff' })
    .png()
    .toBuffer();

const post = async (parameters: string): Promise<{ status: number; answer: IconSearchAnswer & { error?: string } }> => {
  const response = await fetch(`${server.address}search?${parameters}`, {
    method: 'POST',
    body: new Uint8Array(await drawing()),
  });
  await checkAnswer('POST', response.url, response);
  return { status: response.status, answer: (await response.json()) as IconSearchAnswer & { error?: string } };
};

test.before(async () => {
  await testDevice();
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-serve-icons-'));
  await installSet(at(), 'shapes', { icons: SHAPES, others: { suffixes: { '': 'Outline', filled: 'Filled' } } });
  await installSet(at(), 'flags', {
    icons: { japan: { body: '<circle cx="12" cy="12" r="7" fill="#c00"/><script>alert(1)</script>' } },
    info: { palette: true, license: { title: 'Public domain' } },
  });
  await installSet(at(), 'gone', { icons: { dot: { body: '<circle cx="12" cy="12" r="2"/>' } } });
  const { code, stderr } = await runOnTestDevice([
    'icons',
    '--root',
    at(),
    '--sets',
    'shapes,flags,gone',
    '--out',
    at('icons.safetensors'),
  ]);
  assert.is(code, 0, stderr);
  await removeSet(at(), 'gone');
  // Not in the index.
  await installSet(at(), 'later', { icons: SHAPES });
  server = await startServe('--icons', at('icons.safetensors'), '--root', at(), '--min-similarity', '0.9');
});
test.after(async () => {
  killServers();
  await rm(folder, { recursive: true });
});

test('a drawing finds icons with set, licence, style and similarity, as sketchgrad search does', async () => {
  const { status, answer } = await post('k=5');
  assert.is(status, 200);
  const [{ row, similarity, ...first }] = answer.neighbours;
  assert.equal(first, {
    rank: 1,
    icon: 'shapes:house',
    set: 'shapes',
    licence: { title: 'MIT', spdx: 'MIT', url: 'https://example.org/mit' },
    style: 'outline',
  });
  assert.ok(row >= 0 && similarity > 0.95, String(similarity));
  assert.is(answer.nothingLike, false);
  assert.equal(
    answer.neighbours.map(({ belowCutOff = false }) => belowCutOff),
    answer.neighbours.map(({ similarity: each }) => each < 0.9),
  );
  const about = (await (await fetch(`${server.address}about`)).json()) as {
    icons: number;
    cutOff: number;
    sets: { prefix: string; count: number }[];
  };
  assert.equal(
    [about.icons, about.cutOff, about.sets.map(({ prefix, count }) => `${prefix} ${count}`)],
    [62, 0.9, ['flags 1', 'gone 1', 'shapes 60']],
  );
});

test('parameters filter by set, style and licence; unknown ones are refused', async () => {
  const found = async (parameters: string): Promise<string[]> =>
    (await post(parameters)).answer.neighbours.map(({ icon }) => icon);
  assert.equal(await found('style=colour'), ['flags:japan']);
  assert.equal((await found('set=flags&set=gone')).sort(), ['flags:japan', 'gone:dot']);
  assert.equal(await found('licence=public%20domain'), ['flags:japan']);
  assert.ok((await found('style=solid&k=40')).every((icon) => icon.endsWith('-filled') || icon === 'gone:dot'));
  const { status, answer } = await post('set=later');
  assert.is(status, 400);
  assert.match(answer.error ?? '', 'the index has no set "later"; it has flags, gone, shapes');
  const like = (await (await fetch(`${server.address}search?like=0&k=2`)).json()) as IconSearchAnswer;
  assert.is(like.neighbours.length, 2);
  assert.ok(like.neighbours.every(({ row }) => row !== 0));
  const empty = await post('set=flags&style=outline');
  assert.equal([empty.answer.neighbours, empty.answer.nothingLike], [[], true]);
});

test('drawings come from the installed sets, may run nothing, and only those that are in the index', async () => {
  const house = await fetch(`${server.address}icons/shapes/house.svg`);
  assert.is(house.status, 200);
  assert.is(house.headers.get('content-type'), 'image/svg+xml; charset=utf-8');
  assert.match(await house.text(), /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg".*viewBox="0 0 24 24">.*<\/svg>$/);
  const flag = await fetch(`${server.address}icons/flags/japan.svg`);
  assert.match(flag.headers.get('content-security-policy') ?? '', /default-src 'none';.*sandbox/);
  assert.is(flag.headers.get('x-content-type-options'), 'nosniff');
  // Written by hand, since fetch would straighten them.
  for (const address of [
    '/icons/later/house.svg',
    '/icons/gone/dot.svg',
    '/icons/shapes/secret.svg',
    '/icons/shapes/house',
    '/icons/shapes/../../icons.safetensors',
    '/icons/..%2fshapes/house.svg',
    '/icons/shapes/%2e%2e%2ficons.json.svg',
    '/icons/noto/cat.svg',
    '/icons//house.svg',
    '/pictures/0',
  ]) {
    const status = await new Promise((resolve, reject) =>
      request(server.address, { path: address }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end(),
    );
    assert.is(status, 404, address);
  }
  assert.is((await fetch(`${server.address}icons/shapes/house.svg`, { method: 'POST' })).status, 405);
});

test('SIGHUP reads the index again; one that cannot be used leaves the old one in service', async () => {
  const icons = async (): Promise<number> =>
    ((await (await fetch(`${server.address}about`)).json()) as { icons: number }).icons;
  const before = await icons();
  const index = await readFile(at('icons.safetensors'));
  await writeFile(at('icons.safetensors'), index.subarray(0, index.length / 2));
  server.signal('SIGHUP');
  await untilSaid(server, /the reload failed, and the model and index of before stay in service/);
  assert.is(await icons(), before);
  assert.is((await post('k=1')).answer.neighbours.length, 1);
  const { code, stderr } = await runOnTestDevice([
    ...['icons', '--root', at(), '--sets', 'later', '--out', at('later.safetensors')],
  ]);
  assert.is(code, 0, stderr);
  await rename(at('later.safetensors'), at('icons.safetensors'));
  server.signal('SIGHUP');
  await untilSaid(server, /reloaded: \d+ icons of 1 sets/);
  assert.is(await icons(), Object.keys(SHAPES).length);
  assert.is((await post('k=1')).answer.neighbours[0].set, 'later');
});

test('what cannot be served is said', async () => {
  const refused = async (message: RegExp, ...words: string[]): Promise<void> => {
    const { code, stderr } = await runCaptured(['serve', ...words, '--port', '0']);
    assert.is(code, 1);
    assert.match(stderr, message);
  };
  await refused(/a folder of pictures or --icons is needed, and not both/);
  await refused(/a folder of pictures or --icons is needed, and not both/, at(), '--icons', at('icons.safetensors'));
  await refused(/--index selects pictures, --icons selects icons/, '--icons', at('icons.safetensors'), '--index', 'a');
  await refused(/absent does not exist; sketchgrad icons --all --out .*absent makes it/, '--icons', at('absent'));
  const { code, stderr } = await server.end();
  assert.is(code, 0, stderr);
  assert.match(stderr, /1 sets of the index are not installed for .*: gone\. npm install @iconify-json\/gone/);
});

test.run();
