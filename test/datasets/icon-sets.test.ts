import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { iconDigest, iconImage } from '../../datasets/icon-drawings.ts';
import { findIconSets, IconSetError, iconSvg, readIconSet, type Icon } from '../../datasets/icon-sets.ts';
import { installSet, SHAPES } from '../support/icon-sets.ts';

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-icon-sets-'));
});
test.after(() => rm(folder, { recursive: true }));

const icon = (body: string, changes: Partial<Icon> = {}): Icon => ({
  name: 'x',
  body,
  left: 0,
  top: 0,
  width: 24,
  height: 24,
  ...changes,
});

test("sets are found from a folder's node_modules upwards, then from the package's; what is nearer wins", async () => {
  await installSet(at(), 'far', { icons: SHAPES });
  await installSet(at('project'), 'near', { icons: SHAPES });
  await installSet(at('project'), 'both', { icons: SHAPES });
  const collection = at('node_modules', '@iconify', 'json');
  await mkdir(path.join(collection, 'json'), { recursive: true });
  await writeFile(path.join(collection, 'collections.json'), JSON.stringify({ both: {}, far: {}, collected: {} }));
  for (const prefix of ['both', 'far', 'collected', 'withdrawn'])
    await writeFile(
      path.join(collection, 'json', `${prefix}.json`),
      JSON.stringify({
        prefix,
        icons: { dot: { body: '<path d="M0 0h9v9z"/>' } },
        info: { name: 'Collected', license: { title: 'ISC', spdx: 'ISC' }, palette: true },
      }),
    );
  await mkdir(at('node_modules', '@iconify-json', 'empty'), { recursive: true });

  const found = await findIconSets(at('project'));
  assert.is(found.get('near')?.icons, at('project', 'node_modules', '@iconify-json', 'near', 'icons.json'));
  assert.ok(found.get('both')?.icons.startsWith(at('project')));
  assert.ok(found.get('far')?.icons.includes('@iconify-json'), 'the package of the one set');
  assert.ok(found.has('collected') && !found.has('withdrawn') && !found.has('empty'));
  assert.ok(found.has('noto'), "the package's own");
  assert.equal([...found.keys()], [...found.keys()].sort());
  assert.not.ok((await findIconSets(at())).has('near'));

  const collected = await readIconSet(found.get('collected')!);
  assert.equal(collected.licence, { title: 'ISC', spdx: 'ISC', url: '' });
  assert.equal(collected.icons, [
    { name: 'dot', body: '<path d="M0 0h9v9z"/>', left: 0, top: 0, width: 16, height: 16 },
  ]);
  assert.is(collected.styles.palette, true);
});

test('aliases, hidden icons and what is no icon are left out; sizes come from the icon, else from the set', async () => {
  const icons = {
    b: { body: '<path/>' },
    a: { body: '<path/>', width: 10, left: -3 },
    gone: { body: '<path/>', hidden: true },
    flat: { body: '<path/>', height: 0 },
    '../a': { body: '<path/>' },
    none: {},
  };
  await installSet(at('odd'), 'odd', {
    icons: icons as never,
    others: { height: 20, aliases: { c: { parent: 'a' } }, suffixes: { filled: 'Filled', broken: 3 } },
    info: { license: undefined },
  });
  const set = await readIconSet((await findIconSets(at('odd'))).get('odd')!);
  assert.equal(
    set.icons.map(({ name, left, width, height }) => [name, left, width, height]),
    [
      ['a', -3, 10, 20],
      ['b', 0, 24, 20],
    ],
  );
  assert.equal(set.licence, { title: 'unknown', spdx: '', url: '' });
  assert.equal([...set.styles.suffixes], [['filled', 'Filled']]);
  assert.is(
    iconSvg(set.icons[0]),
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="10" height="20" viewBox="-3 0 10 20"><path/></svg>',
  );
  assert.match(iconSvg(set.icons[0], 100), 'width="50" height="100"');
});

test('a file that is no set is refused by name', async () => {
  const refused = async (content: string, message: RegExp): Promise<void> => {
    await installSet(at('bad'), 'bad', { icons: {} });
    const file = at('bad', 'node_modules', '@iconify-json', 'bad', 'icons.json');
    await writeFile(file, content);
    await readIconSet((await findIconSets(at('bad'))).get('bad')!).then(
      () => assert.unreachable(content),
      (error: Error) =>
        assert.ok(
          error instanceof IconSetError && error.message.startsWith(file) && message.test(error.message),
          error.message,
        ),
    );
  };
  await refused('{', /is no JSON/);
  await refused('[]', /is no JSON object/);
  await refused(
    '{"prefix":"other","icons":{}}',
    /its prefix is "other" instead of bad.*npm install @iconify-json\/bad/,
  );
  await refused('{"prefix":"bad"}', /it has no icons/);
});

test('an icon is drawn in black on white and fitted to its ink, wherever it stands in its box', async () => {
  const box = '<path fill="currentColor" d="M2 3h4v4h-4z"/>';
  const { pixels, thick } = await iconImage(icon(box), 32, 'box');
  // Lanczos' filter overshoots by a few levels.
  assert.ok(pixels[0] > 250);
  assert.ok(pixels[3 * (16 * 32 + 16)] < 5);
  assert.ok(thick > 0.4);
  // 4 units of 24 and of 8 units are 43 and 128 pixels of 256, and the same square in 32.
  const other = (await iconImage(icon(box, { left: 1, top: 2, width: 8, height: 8 }), 32, 'box')).pixels;
  const difference = pixels.reduce((sum, level, place) => sum + Math.abs(level - other[place]), 0) / pixels.length;
  // A pixel of 43 is two thirds of one of 32: the four edges, 29 pixels each, may be off by a third of a pixel on each
  // side.
  assert.ok(difference < (4 * 29 * 255) / 3 / 32 ** 2, `${difference} levels in the mean`);
  const colored = (await iconImage(icon('<circle cx="9" cy="9" r="8" fill="#f00"/>'), 32, 'disc')).pixels;
  assert.ok([255, 0, 0].every((level, channel) => Math.abs(colored[3 * (16 * 32 + 16) + channel] - level) < 5));
  const white = (await iconImage(icon('<circle cx="9" cy="9" r="8" fill="#fff"/>'), 32, 'disc')).pixels;
  assert.ok(white[3 * (16 * 32 + 16)] < 5, 'a white drawing as its silhouette');
});

test('what cannot be drawn is refused by name', async () => {
  for (const [body, message] of [
    ['<path d="M0', /^a:b cannot be decoded/],
    ['<g/>', /^a:b cannot be decoded: it draws nothing/],
    [`<!--${'x'.repeat(2 ** 22)}-->`, /its SVG has 4194/],
  ] as const) {
    await iconImage(icon(body), 32, 'a:b').then(
      () => assert.unreachable(body.slice(0, 9)),
      (error: Error) => assert.match(error.message, message),
    );
  }
});

test('a digest tells drawings apart, and not names', () => {
  assert.match(iconDigest(icon('<g/>')), /^[0-9a-f]{16}$/);
  assert.is(iconDigest(icon('<g/>')), iconDigest(icon('<g/>', { name: 'y' })));
  assert.is.not(iconDigest(icon('<g/>')), iconDigest(icon('<g></g>')));
  assert.is.not(iconDigest(icon('<g/>')), iconDigest(icon('<g/>', { left: 1 })));
});

test.run();
