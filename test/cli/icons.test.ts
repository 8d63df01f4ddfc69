// sketchgrad icons, and sketchgrad search --icons.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { adapterEnvironment } from '../../src/platform/adapter.ts';
import { iconId, openIconIndex } from '../../src/retrieval/icon-index.ts';
import { ICON_STYLES } from '../../src/retrieval/icon-style.ts';
import type { FoundIcon } from '../../src/server/icon-search-service.ts';
import { serializeModel } from '../../src/models/model-file.ts';
import { builtCommand } from '../support/built-command.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { testDevice } from '../support/device.ts';
import { installSet, removeSet, SHAPES } from '../support/icon-sets.ts';
import { readPageModel } from '../support/page-model.ts';

const PLAIN = {
  'star-5': SHAPES['star-5'],
  'big-disc': { body: '<circle cx="12" cy="12" r="11"/>' },
  'big-ring': { body: '<circle cx="12" cy="12" r="11" fill="none" stroke="#000"/>' },
};
const APACHE = { license: { title: 'Apache 2.0', spdx: 'Apache-2.0' } };

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const icons = (...words: string[]): ReturnType<typeof runOnTestDevice> =>
  runOnTestDevice(['icons', '--root', at(), ...words]);
const search = async (...words: string[]): Promise<{ nothingLike: boolean; results: FoundIcon[] }[]> => {
  const { code, stdout, stderr } = await runOnTestDevice([
    'search',
    '--icons',
    at('icons.safetensors'),
    '--json',
    ...words,
  ]);
  assert.is(code, 0, stderr);
  return JSON.parse(stdout) as { nothingLike: boolean; results: FoundIcon[] }[];
};
const svg = async (name: string, { body }: { readonly body: string }): Promise<string> => {
  const file = at(`${name}.svg`);
  await writeFile(
    file,
    `<svg xmlns="http://www.w3.org/2000/svg" width="48" height="24" viewBox="0 0 48 24">${body}</svg>`,
  );
  return file;
};

test.before(async () => {
  await testDevice();
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-icons-'));
  await installSet(at(), 'shapes', {
    icons: {
      ...SHAPES,
      broken: { body: '<path d="M0' },
      empty: { body: '<g/>' },
      secret: { ...SHAPES.moon, hidden: true },
    },
    others: { aliases: { crescent: { parent: 'moon' } }, suffixes: { '': 'Outline', filled: 'Filled' } },
  });
  await installSet(at(), 'plain', { icons: PLAIN, info: APACHE });
  await installSet(at(), 'flags', {
    icons: { japan: { body: '<circle cx="12" cy="12" r="7" fill="#c00"/>' } },
    info: { palette: true, license: { title: 'Public domain' } },
  });
});
test.after(() => rm(folder, { recursive: true }));

test('installed sets become an index; an icon that cannot be drawn is named and left out', async () => {
  const { code, stdout, stderr } = await icons('--sets', 'shapes,plain, flags', '--out', at('icons.safetensors'));
  assert.is(code, 0, stderr);
  assert.match(stdout, /64 icons of 3 sets, 2 not rendered/);
  assert.match(stderr, /not rendered: shapes:broken: \S/);
  assert.match(stderr, /not rendered: shapes:empty: it draws nothing/);
  const index = await openIconIndex(await readFile(at('icons.safetensors')));
  assert.equal(
    index.sets.map(({ prefix, count, licence: { spdx } }) => [prefix, count, spdx]),
    [
      ['flags', 1, ''],
      ['plain', 3, 'Apache-2.0'],
      ['shapes', 60, 'MIT'],
    ],
  );
  assert.not.ok(index.names.some((name) => ['secret', 'crescent', 'broken', 'empty'].includes(name)));
  const styles = Object.fromEntries(index.names.map((_, row) => [iconId(index, row), ICON_STYLES[index.styles[row]]]));
  assert.equal(
    [
      styles['flags:japan'],
      styles['plain:big-disc'],
      styles['plain:big-ring'],
      styles['shapes:house'],
      styles['shapes:house-filled'],
    ],
    ['colour', 'solid', 'outline', 'outline', 'solid'],
  );
  assert.not.ok((await readdir(folder)).some((name) => name.endsWith('.parts')));
});

test('a drawing finds its icon with set, licence, style and similarity, wherever it stands on its page', async () => {
  const [{ nothingLike, results }] = await search(await svg('house', SHAPES.house), '--top', '3');
  assert.is(nothingLike, false);
  const [{ row, similarity, ...first }] = results;
  assert.equal(first, {
    rank: 1,
    icon: 'shapes:house',
    set: 'shapes',
    licence: { title: 'MIT', spdx: 'MIT', url: 'https://example.org/mit' },
    style: 'outline',
  });
  assert.ok(row > 0 && similarity > 0.99);
  const text = await runOnTestDevice(['search', at('house.svg'), '--icons', at('icons.safetensors')]);
  assert.match(
    text.stdout,
    /rank +cosine +icon +set +style +licence +cut-off\n.*\n +1 +\d\.\d{4} +shapes:house +The set shapes +outline +MIT *\n/,
  );
});

test('sets, styles and licences filter; what the index does not have is refused', async () => {
  const query = await svg('star', SHAPES['star-5']);
  const found = async (...words: string[]): Promise<string[]> =>
    (await search(query, '--top', '100', ...words))[0].results.map(({ icon }) => icon);
  // The same drawing in two sets: one embedding, in the order of the rows.
  assert.equal((await found()).slice(0, 2), ['plain:star-5', 'shapes:star-5']);
  assert.equal((await found('--set', 'plain')).sort(), ['plain:big-disc', 'plain:big-ring', 'plain:star-5']);
  assert.equal(await found('--style', 'colour'), ['flags:japan']);
  assert.equal((await found('--licence', 'public domain,apache-2.0', '--style', 'colour,solid')).sort(), [
    'flags:japan',
    'plain:big-disc',
  ]);
  const refused = await runOnTestDevice(['search', query, '--icons', at('icons.safetensors'), '--set', 'tabler']);
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /--set, --style, --licence: the index has no set "tabler"; it has flags, plain, shapes/);
  assert.match(
    (await runOnTestDevice(['search', query, '--set', 'plain'])).stderr,
    /choose among icons; give their index with --icons/,
  );
  assert.match(
    (await runOnTestDevice(['search', query, '--icons', at('icons.safetensors'), '--index', 'a'])).stderr,
    /give one of the two/,
  );
});

test('below the similarity that a model was calibrated to there is nothing like the drawing; a flag has the last word', async () => {
  const model = await readPageModel();
  await writeFile(
    at('calibrated.safetensors'),
    await serializeModel({ ...model, about: { ...model.about, similarity: { nothing: 0.9999999 } } }),
  );
  await writeFile(
    at('wrong.safetensors'),
    await serializeModel({ ...model, about: { ...model.about, similarity: { nothing: 'much' } } }),
  );
  const query = await svg('house', SHAPES.house);
  const calibrated = ['--model', at('calibrated.safetensors'), query];
  // The checksum is of the weights, so that a calibration leaves an index valid.
  const [none] = await search(...calibrated);
  assert.is(none.nothingLike, true);
  assert.ok(none.results.length === 10 && none.results.every(({ belowCutOff }) => belowCutOff === true));
  const [some] = await search(...calibrated, '--min-similarity', '0.99');
  assert.is(some.nothingLike, false);
  assert.equal(
    some.results.map(({ similarity, belowCutOff = false }) => belowCutOff === similarity < 0.99),
    some.results.map(() => true),
  );
  assert.match(
    (await runOnTestDevice(['search', '--icons', at('icons.safetensors'), ...calibrated])).stdout,
    /house.svg: nothing like this here\n.*cut-off\n.*\n.*below\n/,
  );
  assert.match(
    (await runOnTestDevice(['search', '--icons', at('icons.safetensors'), '--model', at('wrong.safetensors'), query]))
      .stderr,
    /similarity, where \{ "nothing": a number from -1 to 1 \} is needed/,
  );
});

test('an index of another model is refused with the command that makes it again', async () => {
  const model = await readPageModel();
  const state = new Map(model.state);
  const [name, tensor] = [...state][0];
  state.set(name, { ...tensor, values: tensor.values.map((value) => 1.5 * value) });
  await writeFile(at('other.safetensors'), await serializeModel({ state, about: model.about }));
  const { code, stderr } = await runOnTestDevice([
    'search',
    at('house.svg'),
    '--icons',
    at('icons.safetensors'),
    '--model',
    at('other.safetensors'),
  ]);
  assert.is(code, 1);
  assert.match(stderr, /the index was made by the model .*sketchgrad icons --out .*icons\.safetensors/);
});

test('a sheet shows the icons of installed sets', async () => {
  const { code, stderr } = await runOnTestDevice([
    'search',
    at('house.svg'),
    '--icons',
    at('icons.safetensors'),
    '--sheet',
    at('sheet.png'),
    '--root',
    at(),
  ]);
  assert.is(code, 0, stderr);
  assert.match(stderr, /contact sheet/);
  assert.not.match(stderr, /not on the sheet/);
  assert.match(
    (
      await runOnTestDevice([
        'search',
        at('house.svg'),
        '--icons',
        at('icons.safetensors'),
        '--sheet',
        at('sheet.png'),
        '--root',
        tmpdir(),
      ])
    ).stderr,
    /icons of shapes are not on the sheet: npm install @iconify-json\/shapes/,
  );
});

test('only what changed is embedded again, to the bytes of an index that is made from nothing', async () => {
  const changed = {
    ...SHAPES,
    house: { body: SHAPES.house.body.replace('1.5', '2') },
    'new-one': { body: '<path fill="currentColor" d="M3 3h18v4H3z"/>' },
  };
  delete (changed as Record<string, unknown>)['star-3'];
  await installSet(at(), 'shapes', { icons: changed });
  await removeSet(at(), 'flags');
  await installSet(at(), 'added', {
    icons: { twin: SHAPES.arrow, fresh: { body: '<path fill="currentColor" d="M3 3h4v18H3z"/>' } },
  });
  const before = await readFile(at('icons.safetensors'));
  await writeFile(at('updated.safetensors'), before);
  const updated = await icons('--sets', 'added,plain,shapes', '--out', at('updated.safetensors'));
  assert.is(updated.code, 0, updated.stderr);
  assert.match(updated.stdout, /65 icons of 3 sets, 3 drawings embedded anew, 0 not rendered/);
  const fresh = await icons('--sets', 'added,plain,shapes', '--out', at('fresh.safetensors'));
  assert.is(fresh.code, 0, fresh.stderr);
  assert.ok((await readFile(at('updated.safetensors'))).equals(await readFile(at('fresh.safetensors'))));
  await installSet(at(), 'plain', { icons: { ...PLAIN, nothing: { body: '<g/>' } }, info: APACHE });
  const again = await icons('--sets', 'shapes,added,plain', '--out', at('fresh.safetensors'));
  assert.match(again.stdout, /65 icons of 3 sets, 0 drawings embedded anew, 1 not rendered/);
  assert.match(again.stderr, /not rendered: plain:nothing: it draws nothing/);
  assert.ok((await readFile(at('updated.safetensors'))).equals(await readFile(at('fresh.safetensors'))));
});

test('after kill -9 the next run goes on where the parts end, to the same bytes', async () => {
  const bars = Array.from({ length: 320 }, (_, at) => [
    `bar-${at}`,
    {
      body: `<path fill="currentColor" d="M0 0h${1 + (at % 24)}v${1 + Math.floor(at / 24)}H0z"/><circle cx="20" cy="20" r="3"/>`,
    },
  ]);
  await installSet(at(), 'bars', { icons: Object.fromEntries(bars) as typeof SHAPES });
  const words = ['--root', at(), '--sets', 'shapes,plain,bars', '--part', '32'];
  const unbroken = await icons(...words.slice(2), '--out', at('unbroken.safetensors'));
  assert.is(unbroken.code, 0, unbroken.stderr);
  const out = at('killed.safetensors');
  const env = { ...process.env, ...(await adapterEnvironment('auto')) };
  const parts = async (): Promise<string[]> =>
    (await readdir(`${out}.parts`).catch(() => [])).filter((name) => name.endsWith('.part')).sort();
  let written: string[] = [];
  for (const wanted of [1, 4]) {
    const child = spawn(process.execPath, [await builtCommand(), 'icons', ...words, '--out', out], {
      env,
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    while ((written = await parts()).length < wanted && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    const [, signal] = (await ended) as [number | null, string | null];
    assert.is(signal, 'SIGKILL', 'it was killed before it ended');
  }
  written = await parts();
  assert.ok(written.length >= 4);
  // A part that a disk damaged is made again.
  const damaged = path.join(`${out}.parts`, written[1]);
  const bytes = await readFile(damaged);
  bytes[bytes.length - 1] ^= 1;
  await writeFile(damaged, bytes);
  const resumed = await icons(...words.slice(2), '--out', out);
  assert.is(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stderr, /\d+ drawings of an interrupted run are used/);
  assert.ok((await readFile(out)).equals(await readFile(at('unbroken.safetensors'))));
  assert.not.ok((await readdir(folder)).includes('killed.safetensors.parts'));
});

test('what cannot be indexed is said, and no other file is overwritten', async () => {
  const refused = async (message: RegExp, ...words: string[]): Promise<void> => {
    const { code, stderr } = await icons(...words);
    assert.is(code, 1);
    assert.match(stderr, message);
  };
  await refused(/--sets or --all is needed, and not both/);
  await refused(/--sets or --all is needed, and not both/, '--all', '--sets', 'plain');
  await refused(
    /--sets: shaeps is not installed .*npm install @iconify-json\/shaeps gets it.*nearest name is shapes/,
    '--sets',
    'shaeps',
  );
  await refused(/--sets: no name is given/, '--sets', ', ,');
  await writeFile(at('letter.txt'), 'dear');
  await refused(
    /letter.txt exists, and is no index that sketchgrad icons can update/,
    '--sets',
    'plain',
    '--out',
    at('letter.txt'),
  );
  assert.is(await readFile(at('letter.txt'), 'utf8'), 'dear');
  await installSet(at(), 'hollow', { icons: { empty: { body: '<g/>' } } });
  await refused(/none of the icons of hollow can be rendered/, '--sets', 'hollow', '--out', at('hollow.safetensors'));
});

test.run();
