import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EMOJI_SETS, emojiClasses, loadEmoji } from '../../datasets/emoji.ts';
import type { Dataset, Sample } from '../../src/data/dataset.ts';

const SIZE = 32;
let folder = '';
let dataset: Dataset;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sketchgrad-emoji-'));
  dataset = await loadEmoji({ size: SIZE, cacheFolder: folder });
});
test.after(() => rm(folder, { recursive: true }));

const setOf = (sample: Sample) => sample.name.slice(sample.name.lastIndexOf('/') + 1);
const everything = () => [...dataset.train, ...dataset.validation, ...dataset.queries, ...dataset.gallery];

test('the counts are those of the committed split', () => {
  assert.equal(
    {
      seen: dataset.seenClasses.length,
      unseen: dataset.unseenClasses.length,
      trainSketches: dataset.train.filter(({ domain }) => domain === 'sketch').length,
      trainPhotos: dataset.train.filter(({ domain }) => domain === 'photo').length,
      validation: dataset.validation.length,
      queries: dataset.queries.length,
      gallery: dataset.gallery.length,
    },
    { seen: 659, unseen: 165, trainSketches: 2086, trainPhotos: 2127, validation: 144, queries: 660, gallery: 627 },
  );
});

test('no class is seen and unseen, and no artist draws in both domains', () => {
  const unseen = new Set(dataset.unseenClasses);
  assert.not(dataset.seenClasses.some((name) => unseen.has(name)));
  assert.not([...dataset.train, ...dataset.validation].some(({ className }) => unseen.has(className)));
  assert.ok([...dataset.queries, ...dataset.gallery].every(({ className }) => unseen.has(className)));

  const artists = (domain: string) =>
    new Set(
      everything()
        .filter((sample) => sample.domain === domain)
        .map((sample) => EMOJI_SETS.find(({ name }) => name === setOf(sample))?.artist),
    );
  assert.equal([...artists('photo')].sort(), ['Google', 'Microsoft', 'Mozilla']);
  assert.equal([...artists('sketch')].sort(), ['Emoji One', 'OpenMoji', 'Twitter']);
});

test('unseen and settings classes are a fixed share of every group', async () => {
  const classes = await emojiClasses();
  const groups = new Set(classes.map(({ group }) => group));
  assert.equal([...groups], ['animals', 'food', 'travel', 'activities', 'objects']);
  for (const group of groups) {
    const members = classes.filter((one) => one.group === group);
    const count = (split: string) => members.filter((one) => one.split === split).length;
    assert.ok(Math.abs(count('unseen') - members.length / 5) <= 0.5, `${group}: ${count('unseen')} unseen`);
    assert.ok(Math.abs(count('settings') - members.length / 10) <= 1, `${group}: ${count('settings')} for settings`);
  }
});

test('every class has two images of each domain to train on, every unseen class three', () => {
  const counts = new Map<string, number>();
  for (const { className, domain } of [...dataset.train, ...dataset.queries, ...dataset.gallery]) {
    counts.set(`${className}/${domain}`, (counts.get(`${className}/${domain}`) ?? 0) + 1);
  }
  for (const domain of ['sketch', 'photo']) {
    for (const name of dataset.seenClasses) assert.ok((counts.get(`${name}/${domain}`) ?? 0) >= 2, `${name}/${domain}`);
    for (const name of dataset.unseenClasses)
      assert.ok((counts.get(`${name}/${domain}`) ?? 0) >= 3, `${name}/${domain}`);
  }
});

test('a held-out sketch is never the twin of one that is trained on', () => {
  // Emoji One's monotone set is its colored set redrawn.
  assert.ok(dataset.validation.every((sample) => ['twemoji', 'openmoji'].includes(setOf(sample))));
});

test('choosing settings sees nothing of the unseen classes', async () => {
  const settings = await loadEmoji({ size: SIZE, cacheFolder: folder, measureOn: 'settings' });
  assert.is(settings.unseenClasses.length, 83);
  assert.is(settings.seenClasses.length, 659 - 83);
  const unseen = new Set(dataset.unseenClasses);
  const all = [...settings.train, ...settings.validation, ...settings.queries, ...settings.gallery];
  assert.not(all.some(({ className }) => unseen.has(className)));
});

test('the second load reads the cache', async () => {
  const again = await loadEmoji({
    size: SIZE,
    cacheFolder: folder,
    onProgress: () => assert.unreachable('rendered twice'),
  });
  for (const sample of [dataset.train[0], dataset.queries[99]]) {
    assert.equal(await again.images.read(sample, SIZE), await dataset.images.read(sample, SIZE));
  }
});

test('outlines are black on white, pictures colored, and both fill their frame alike', async () => {
  const extents = { sketch: 0, photo: 0 };
  const counts = { sketch: 0, photo: 0 };
  for (const sample of everything()) {
    const pixels = await dataset.images.read(sample, SIZE);
    let color = 0;
    let first = SIZE;
    let last = -1;
    for (let pixel = 0; pixel < SIZE * SIZE; pixel++) {
      const [r, g, b] = pixels.subarray(pixel * 3);
      color = Math.max(color, Math.abs(r - g), Math.abs(g - b));
      if (r + g + b < 3 * 200) {
        first = Math.min(first, pixel % SIZE);
        last = Math.max(last, pixel % SIZE);
      }
    }
    if (sample.domain === 'sketch') {
      assert.is(color, 0, `${sample.name} has color`);
      assert.ok(last >= 0, `${sample.name} is blank`);
    }
    extents[sample.domain] += Math.max(0, last - first + 1);
    counts[sample.domain]++;
  }
  const width = (domain: 'sketch' | 'photo') => extents[domain] / counts[domain] / SIZE;
  assert.ok(Math.abs(width('sketch') - width('photo')) < 0.05, `${width('sketch')} against ${width('photo')}`);
});

test('another size than the kept one is rendered, a size out of range is refused', async () => {
  const mean = (pixels: Uint8Array): number => pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  for (const sample of [dataset.train[0], dataset.gallery[3]]) {
    const larger = await dataset.images.read(sample, 2 * SIZE);
    assert.is(larger.length, 4 * 3 * SIZE * SIZE);
    const kept = mean(await dataset.images.read(sample, SIZE));
    assert.ok(Math.abs(mean(larger) - kept) < 8, `the same drawing is as bright: ${mean(larger)} and ${kept}`);
  }
  await loadEmoji({ size: 1000 }).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /from 16 to 256/),
  );
});

test.run();
