import { createRequire } from 'node:module';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { heldOutClass } from '../../datasets/held-out.ts';
import { ICON_SETS, takesIcon } from '../../datasets/icon-artists.ts';
import { iconNoun, trainingIcons } from '../../datasets/training-icons.ts';
import { findIconSets, readIconSet, type Icon } from '../../datasets/icon-sets.ts';
import { EMOJI_SETS } from '../../datasets/emoji.ts';

test('no artist is on both sides, emoji included', () => {
  const sides = new Map<string, Set<string>>();
  const add = (artist: string, domain: string): void =>
    void sides.set(artist, (sides.get(artist) ?? new Set()).add(domain));
  for (const { artist, domain } of ICON_SETS) add(artist.replace(/ (Inc|Corporation)$/, ''), domain);
  for (const { artist, domain } of EMOJI_SETS) add(artist, domain);
  assert.equal(
    [...sides].filter(([, domains]) => domains.size > 1).map(([artist]) => artist),
    [],
  );
  assert.is(new Set(ICON_SETS.map(({ set }) => set)).size, ICON_SETS.length, 'a set is listed once');
});

test('the artist of a set is the one that its package names', () => {
  const require = createRequire(import.meta.url);
  for (const name of ['noto', 'noto-v1', 'fxemoji', 'fluent-emoji-flat']) {
    const { author } = require(`@iconify-json/${name}/info.json`) as { author: { name: string } };
    assert.is(ICON_SETS.find(({ set }) => set === name)?.artist, author.name, name);
  }
});

test('an icon name gives its noun, by plural, synonym and part-of-phrase rules', () => {
  const cases: [name: string, noun: string | undefined][] = [
    ['guitar-pick-outline', 'guitar pick'],
    ['cat', 'cat'],
    ['cats-bold', 'cat'],
    ['hot-air-balloon-24', 'hot air balloon'],
    ['coffee-machine-line', 'coffee machine'],
    ['fire-extinguisher', 'extinguisher'],
    ['arrow-down', undefined],
    ['camera-off', undefined],
    ['add-camera', undefined],
    ['file-plus', undefined],
    ['user-shield', undefined],
    ['window', 'window'],
    ['new-window', undefined],
    ['github', undefined],
    ['happy', undefined],
    ['one-two-three-four-cat', undefined],
  ];
  for (const [name, noun] of cases) assert.is(iconNoun(name), noun, name);
});

const icons = (...names: string[]): Icon[] =>
  names.map((name) => ({ name, body: '<path d="M0 0h9v9z"/>', left: 0, top: 0, width: 16, height: 16 }));

test('icons come with the side of their set; held-out and untaken ones do not', () => {
  const sets = new Map([
    ['tabler', icons('cat', 'cat-filled', 'rabbit', 'school-bus', 'camera-off', 'dog')],
    ['mdi', icons('cat', 'cat-outline', 'bunny', 'dog')],
    ['simple-icons', icons('cat')],
  ]);
  assert.equal(
    trainingIcons(sets, { mostPerDomain: 5, seed: 0 })
      .map(({ set, domain, noun, icon }) => `${domain} ${set}:${icon.name} ${noun}`)
      .sort(),
    ['photo mdi:cat cat', 'photo mdi:dog dog', 'sketch tabler:cat cat', 'sketch tabler:dog dog'],
  );
});

test('of many icons of a noun as many are drawn as are asked for, the same ones each time', () => {
  const sets = new Map([['lucide', icons(...Array.from({ length: 30 }, (_, index) => `cat-${index}`))]]);
  const draw = (seed: number): string[] => trainingIcons(sets, { mostPerDomain: 7, seed }).map(({ icon }) => icon.name);
  assert.is(draw(1).length, 7);
  assert.equal(draw(1), draw(1));
  assert.not.equal(draw(1), draw(2));
});

test('no icon of an installed set that is taken names an unseen class', async () => {
  const installed = await findIconSets('.');
  const sets = new Map(
    await Promise.all(
      ['noto', 'noto-v1', 'fxemoji', 'fluent-emoji-flat'].map(
        async (name) => [name, (await readIconSet(installed.get(name)!)).icons] as const,
      ),
    ),
  );
  const taken = trainingIcons(sets, { mostPerDomain: Infinity, seed: 0 });
  assert.ok(taken.length > 500, `${taken.length}`);
  assert.equal(
    taken.filter(({ icon, noun }) => heldOutClass(icon.name) !== undefined || heldOutClass(noun) !== undefined),
    [],
  );
});

test('style is told by the name where a set has several', () => {
  const taken = (name: string, icon: string): boolean =>
    takesIcon(ICON_SETS.find((choice) => choice.set === name) as (typeof ICON_SETS)[number], icon);
  assert.equal([taken('tabler', 'cat'), taken('tabler', 'cat-filled')], [true, false]);
  assert.equal([taken('ph', 'cat-light'), taken('ph', 'cat-fill')], [true, false]);
  assert.equal([taken('mdi', 'cat'), taken('mdi', 'cat-outline')], [true, false]);
  assert.equal([taken('fluent', 'cat-24-filled'), taken('fluent', 'cat-24-regular')], [true, false]);
});

test.run();
