import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classKey } from '../../src/data/class-names.ts';
import { recognize } from '../../datasets/layouts/index.ts';
import { encodedPicture } from '../../datasets/pictures.ts';
import { loadPublished, type PublishedDataset, type PublishedOptions } from '../../datasets/published.ts';
import { resolveSplit } from '../../datasets/resolve.ts';
import { DatasetError, type Sample } from '../../src/data/dataset.ts';
import { decodeImage, decodeSketch, ImageError } from '../../src/platform/node/images.ts';
import * as archives from '../support/archives.ts';

const test = suite('published sets');
const { SEEN, UNSEEN, SKETCHES, PHOTOS } = archives;
let folder = '';
const root = (): string => join(folder, 'data');

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sketchgrad-published-'));
  await writeFile(join(folder, 'split.json'), JSON.stringify({ seen: SEEN, unseen: UNSEEN }));
  await writeFile(join(folder, 'listed.json'), JSON.stringify({ seen: SEEN, unseen: UNSEEN, lists: 'zeroshot1' }));
});
test.after.each(() => rm(folder, { recursive: true }));

const load = (split = 'listed.json', options: Partial<PublishedOptions> = {}): Promise<PublishedDataset> =>
  loadPublished({ root: root(), split: join(folder, split), size: 8, cacheFolder: join(folder, 'cache'), ...options });
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => assert.unreachable('it should have failed') as never,
    (error: Error) => error,
  );
const edit = async (list: string, change: (text: string) => string): Promise<void> => {
  const file = join(root(), 'zeroshot1', list);
  await writeFile(file, change(await readFile(file, 'utf8')));
};
const countBy = (samples: readonly Sample[], key: (sample: Sample) => string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const sample of samples) counts[key(sample)] = (counts[key(sample)] ?? 0) + 1;
  return counts;
};
const each = (names: readonly string[], count: number): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, count]));

const layouts: [name: string, make: (root: string) => Promise<void>, layout: string][] = [
  ['sakeSketchy', archives.sakeSketchy, 'SAKE archive'],
  ['officialSketchy', archives.officialSketchy, 'official archive'],
  ['doodleSketchy', archives.doodleSketchy, 'official archive'],
  ['sakeTuberlin', archives.sakeTuberlin, 'SAKE archive'],
  ['officialTuberlin', archives.officialTuberlin, 'official archive'],
  ['doodleQuickdraw', archives.doodleQuickdraw, 'Doodle2Search folders'],
  ['ndjsonQuickdraw', archives.ndjsonQuickdraw, 'QuickDraw ndjson'],
  ['plainFolders', archives.plainFolders, 'plain folders'],
];
for (const [name, make, layout] of layouts) {
  test(`${name}: the same classes and images, by folders`, async () => {
    await make(root());
    const dataset = await load('split.json', { validationFraction: 0.25 });
    assert.is(dataset.layout, layout);
    assert.equal(dataset.seenClasses, SEEN, "classes are spelled and ordered as the split's, whatever the folders'");
    assert.equal(dataset.unseenClasses, UNSEEN);
    const sketchesTrained = dataset.train.filter(({ domain }) => domain === 'sketch');
    assert.is(dataset.validation.length, 3);
    assert.equal(
      countBy([...sketchesTrained, ...dataset.validation], ({ className }) => className),
      each(SEEN, SKETCHES.length),
    );
    assert.equal(
      countBy(
        dataset.train.filter(({ domain }) => domain === 'photo'),
        ({ className }) => className,
      ),
      each(SEEN, PHOTOS.length),
    );
    assert.equal(
      countBy(dataset.queries, ({ className }) => className),
      each(UNSEEN, SKETCHES.length),
    );
    assert.equal(
      countBy(dataset.gallery, ({ className }) => className),
      each(UNSEEN, PHOTOS.length),
    );
    assert.equal(dataset.warnings, []);
    for (const sample of [dataset.queries[1], dataset.gallery[1], dataset.train[0]]) {
      const first = await dataset.images.read(sample, 8);
      assert.is(first.length, 8 * 8 * 3);
      assert.equal(await dataset.images.read(sample, 8), first, 'from the cache');
      assert.is((await dataset.images.read(sample, 5)).length, 5 * 5 * 3);
      if (sample.name.includes('.ndjson#')) continue;
      assert.equal(first, await decodeImage(sample.name, 8));
    }
  });
}

test('sketches are fitted where that is asked for, and kept apart from those that are not', async () => {
  for (const make of [archives.plainFolders, archives.ndjsonQuickdraw]) {
    await rm(root(), { recursive: true, force: true });
    await make(root());
    const [whole, fitted] = [
      await load('split.json', { size: 32 }),
      await load('split.json', { size: 32, sketches: 'fitted' }),
    ];
    const [sketch, photo] = [fitted.queries[0], fitted.gallery[0]];
    const isDrawing = sketch.name.includes('.ndjson#');
    if (!isDrawing)
      await sharp({ create: { width: 9, height: 5, channels: 3, background: '#000000' } })
        .extend({ top: 3, bottom: 40, left: 60, right: 1, background: '#ffffff' })
        .png()
        .toFile(sketch.name);
    const encoded = await encodedPicture(sketch);
    const expected = await decodeSketch(encoded, 32, 'fitted', sketch.name);
    for (let time = 0; time < 2; time++) assert.is(Buffer.compare(await fitted.images.read(sketch, 32), expected), 0);
    if (!isDrawing) assert.is.not(Buffer.compare(await whole.images.read(sketch, 32), expected), 0);
    assert.is(Buffer.compare(await fitted.images.read(photo, 32), await whole.images.read(photo, 32)), 0);
  }
});

for (const [name, make, lists] of [
  ['Sketchy', archives.sakeSketchy, 'zeroshot1'],
  ['TU-Berlin', archives.sakeTuberlin, 'zeroshot'],
] as const) {
  test(`${name}: the lists say what is held out, in their order`, async () => {
    await make(root());
    await writeFile(join(folder, 'own.json'), JSON.stringify({ seen: SEEN, unseen: UNSEEN, lists }));
    const { validation, train, queries, gallery, evidence, warnings } = await load('own.json');
    assert.is(evidence, `the lists in ${lists}`);
    assert.equal(
      validation.map((sample) => basename(sample.name)),
      SEEN.map(() => SKETCHES[3]),
    );
    assert.equal(
      validation.map(({ className }) => className),
      SEEN,
    );
    assert.is(train.length, SEEN.length * (SKETCHES.length - 1 + PHOTOS.length));
    assert.equal([queries.length, gallery.length], [UNSEEN.length * SKETCHES.length, UNSEEN.length * PHOTOS.length]);
    assert.equal(warnings, []);
  });
}

test('lists may have CRLF at the ends of their lines', async () => {
  await archives.sakeSketchy(root());
  const plain = await load();
  await rm(root(), { recursive: true });
  await archives.sakeSketchy(root(), { newline: '\r\n' });
  const names = ({ train, validation, queries, gallery }: PublishedDataset): string[] =>
    [...train, ...validation, ...queries, ...gallery].map(({ name }) => name);
  assert.equal(names(await load()), names(plain));
});

test('an accent may be one character in the list and two on disk', async () => {
  await archives.sakeSketchy(root());
  const photos = join(root(), '256x256/photo/tx_000000000000_ready', 'crème brûlée');
  await rename(join(photos, PHOTOS[0]), join(photos, 'é.jpg'.normalize('NFD')));
  await edit('all_photo_filelist_train.txt', (text) =>
    text.replace(`crème brûlée/${PHOTOS[0]}`, 'crème brûlée/é.jpg'.normalize('NFC')),
  );
  await rename(photos, photos.normalize('NFD'));
  const { train } = await load();
  assert.ok(train.some(({ name }) => name === join(photos.normalize('NFD'), 'é.jpg'.normalize('NFD'))));
});

test('ids in another order are the labels, and are told', async () => {
  await archives.sakeSketchy(root());
  const swap = (text: string): string => text.replace(/ ([01])$/gm, (_, id: string) => ` ${1 - Number(id)}`);
  for (const list of [
    'cname_cid.txt',
    'all_photo_filelist_train.txt',
    'sketch_tx_000000000000_ready_filelist_train.txt',
    'sketch_tx_000000000000_ready_filelist_test.txt',
  ])
    await edit(list, swap);
  const { seenClasses, warnings } = await load();
  assert.equal(seenClasses, [SEEN[1], SEEN[0], SEEN[2]]);
  assert.equal(
    warnings.map(({ severity, kind }) => [severity, kind]),
    [['warning', 'wrong id']],
  );
});

test('without a test list, the same sketches are held out for every run', async () => {
  await archives.sakeSketchy(root());
  await rm(join(root(), 'zeroshot1', 'sketch_tx_000000000000_ready_filelist_test.txt'));
  const first = await load(undefined, { validationFraction: 0.4 });
  assert.is(first.validation.length, 4);
  assert.equal((await load(undefined, { validationFraction: 0.4 })).validation, first.validation);
  assert.not(first.train.some((sample) => first.validation.includes(sample)));
  assert.match(first.warnings[0].message, /the list is missing: other sketches of seen classes are held out/);
});

test('a sketch in the test and the train list is held out, and told', async () => {
  await archives.sakeSketchy(root());
  const [line] = (
    await readFile(join(root(), 'zeroshot1', 'sketch_tx_000000000000_ready_filelist_test.txt'), 'utf8')
  ).split('\n');
  await edit('sketch_tx_000000000000_ready_filelist_train.txt', (text) => `${text}${line}\n`);
  const { train, validation, warnings } = await load();
  assert.is(validation.length, 3);
  assert.is(train.length, SEEN.length * (SKETCHES.length - 1 + PHOTOS.length));
  assert.equal(
    warnings.map(({ kind, line: at, severity }) => [kind, at, severity]),
    [['duplicate', 10, 'warning']],
  );
});

test('hidden files in a list are passed over, as where folders are listed, and told once a list', async () => {
  await archives.sakeSketchy(root());
  const before = await load();
  const hidden = [
    'photo/tx_000000000000_ready/tree/@eaDir/n01_10.jpg',
    'photo/tx_000000000000_ready/tree/._n01_10.jpg',
    'photo/.Trash/tree/n01_10.jpg',
  ];
  for (const name of hidden) await archives.put(join(root(), '256x256', name), await archives.picture('hidden'));
  await edit(ZERO_PHOTOS, (text) => `${hidden.map((name) => `256x256/${name} 0\n`).join('')}${text}`);
  await edit(TRAIN_PHOTOS, (text) => `${text}256x256/photo/.gone/tree/a.jpg 0\n`);
  const after = await load();
  assert.equal(
    after.gallery.map(({ name }) => name),
    before.gallery.map(({ name }) => name),
  );
  assert.equal(
    after.train.map(({ name }) => name),
    before.train.map(({ name }) => name),
  );
  assert.equal(
    after.warnings.map(({ kind, severity, line }) => [kind, severity, line]),
    [
      ['skipped', 'warning', 10],
      ['skipped', 'warning', 1],
    ],
  );
  assert.match(
    after.warnings[0].message,
    /^256x256\/photo\/\.gone\/tree\/a\.jpg is hidden, .*; the line is passed over$/,
  );
  assert.match(
    after.warnings[1].message,
    /^256x256\/.*@eaDir\/n01_10\.jpg is hidden, .*; such lines, 3 in all, are passed over$/,
  );
});

const ZERO_PHOTOS = 'all_photo_filelist_zero.txt';
const TRAIN_PHOTOS = 'all_photo_filelist_train.txt';
const broken: [name: string, change: () => Promise<unknown>, message: RegExp][] = [
  [
    'a missing file',
    () => rm(join(root(), '256x256/photo/tx_000000000000_ready/tree', PHOTOS[1])),
    /all_photo_filelist_zero\.txt:2: .*tree[/\\]a photo 12\.JPEG does not exist/,
  ],
  [
    'a missing folder',
    () => rm(join(root(), '256x256/photo/tx_000000000000_ready'), { recursive: true }),
    /all_photo_filelist_train\.txt:1: .*n01_10\.jpg does not exist.*and 6 more/s,
  ],
  [
    'a missing list',
    () => rm(join(root(), 'zeroshot1', ZERO_PHOTOS)),
    /all_photo_filelist_zero\.txt: the list is missing/,
  ],
  ['an empty list', () => edit(ZERO_PHOTOS, () => '\n'), /all_photo_filelist_zero\.txt: the list is empty/],
  [
    'a line without an id',
    () => edit(ZERO_PHOTOS, (text) => text.replace(/^(.*) 0$/m, '$1')),
    /all_photo_filelist_zero\.txt:1: ".*tree\/n01_10\.jpg" is not a name, a blank and a class id/,
  ],
  [
    'an id of another class',
    () => edit(TRAIN_PHOTOS, (text) => text.replace(/ 0$/m, ' 1')),
    /all_photo_filelist_train\.txt:1: class id 1 is mouse \(animal\), and .* is in the folder hot-air_balloon/,
  ],
  [
    'an id beyond the classes',
    () => edit(TRAIN_PHOTOS, (text) => text.replace(/ 2$/m, ' 3')),
    /all_photo_filelist_train\.txt:7: class id 3, and cname_cid\.txt has 3 classes/,
  ],
  [
    'a path out of the archive',
    () => edit(ZERO_PHOTOS, (text) => `256x256/../../tree/away.jpg 0\n${text}`),
    /all_photo_filelist_zero\.txt:1: 256x256\/\.\.\/\.\.\/tree\/away\.jpg leads out of/,
  ],
  [
    'a class under two spellings',
    () => appendFile(join(root(), 'zeroshot1', 'cname_cid.txt'), 'Hot_Air balloon 3\n'),
    /cname_cid\.txt:4: "Hot_Air balloon" and "hot-air_balloon" in line 1 are one class/,
  ],
  [
    'an id twice',
    () => edit('cname_cid.txt', (text) => text.replace(/ 1$/m, ' 0')),
    /cname_cid\.txt:2: class id 0 is that of "hot-air_balloon" already/,
  ],
  [
    'a class that the split does not have',
    () => edit('cname_cid_zero.txt', (text) => text.replace('tree', 'bush')),
    /cname_cid_zero\.txt:1: "bush" is no class of this split.*cname_cid_zero\.txt: the list lacks tree/s,
  ],
  [
    'a class without a line',
    () => edit(ZERO_PHOTOS, (text) => text.replace(/^.* 1\n/gm, '')),
    /all_photo_filelist_zero\.txt: no line is of wine bottle/,
  ],
];
for (const [name, change, message] of broken) {
  test(`${name} is an error with file and line`, async () => {
    await archives.sakeSketchy(root());
    await change();
    const error = await failure(load());
    assert.instance(error, DatasetError);
    assert.match(error.message, message);
    assert.match(error.message, /sketchgrad data check tells everything/);
  });
}

const disordered: [name: string, change: () => Promise<unknown>, message: RegExp][] = [
  [
    'two spellings of a class',
    () => archives.put(join(root(), 'sketch', 'TREE', 'a.png'), ''),
    /sketch: the folders "TREE" and "tree" are one class; merge them/,
  ],
  ['a class without photos', () => rm(join(root(), 'photo', 'tree'), { recursive: true }), /there is no photo of tree/],
  [
    'an empty class',
    async () => {
      for (const file of PHOTOS) await rm(join(root(), 'photo', 'tree', file));
    },
    /photo[/\\]tree: there is no image in it \(\.png/,
  ],
];
for (const [name, change, message] of disordered) {
  test(`class folders: ${name} is an error with the folder`, async () => {
    await archives.plainFolders(root());
    await change();
    assert.match((await failure(load('split.json'))).message, message);
  });
}

test('a name of another source stands for a class of the split, in folders and in drawings', async () => {
  await archives.ndjsonQuickdraw(root());
  const archive = await recognize(root());
  const split = {
    name: 'own',
    title: 'Own',
    source: 'a test',
    seen: ['balloon', ...SEEN.slice(1)],
    unseen: UNSEEN,
    spellings: { 'hot-air balloon': 'balloon' },
  };
  const { train, problems, leftOut } = await resolveSplit(archive as NonNullable<typeof archive>, split, {
    validationFraction: 0,
  });
  assert.equal(problems, []);
  assert.equal(leftOut, []);
  assert.equal(
    countBy(
      train.filter(({ className }) => className === 'balloon'),
      ({ domain }) => domain,
    ),
    { sketch: SKETCHES.length, photo: PHOTOS.length },
  );
});

test('folders that are not of the split are left out', async () => {
  await archives.plainFolders(root());
  await archives.put(join(root(), 'photo', 'unicorn', 'a.jpg'), '');
  await archives.put(join(root(), 'photo', 'tree', 'Thumbs.db'), '');
  assert.is((await load('split.json')).gallery.length, UNSEEN.length * PHOTOS.length);
});

test('an image that was replaced is decoded again; one that is damaged is an ImageError', async () => {
  await archives.plainFolders(root());
  const { images, gallery } = await load('split.json');
  const [sample] = gallery;
  const before = await images.read(sample, 8);
  await writeFile(sample.name, await archives.picture('something else, of other bytes'));
  const after = await images.read(sample, 8);
  assert.not.equal(after, before);
  assert.equal(after, await decodeImage(sample.name, 8));
  await writeFile(sample.name, 'no picture');
  const error = await failure(images.read(sample, 8));
  assert.instance(error, ImageError);
  assert.ok(error.message.includes(sample.name));
  await rm(sample.name);
  assert.instance(await failure(images.read(sample, 8)), ImageError);
  assert.match((await failure(images.read({ ...sample, name: 'nowhere' }, 8))).message, /there is no image nowhere/);
});

test('a set beyond the budget is not kept, and that is told', async () => {
  await archives.plainFolders(root());
  const notices: string[] = [];
  const { images, gallery } = await load('split.json', {
    cacheBudget: 1000,
    onNotice: (notice) => notices.push(notice),
  });
  assert.is(notices.length, 1);
  assert.match(notices[0], /35 images need .* more than the .* of --pixel-cache: they are decoded at each use/);
  assert.equal(await images.read(gallery[0], 8), await decodeImage(gallery[0].name, 8));
});

test('the split must be of the set, and be named where a set has two', async () => {
  await archives.sakeSketchy(root());
  const message = async (options: Partial<PublishedOptions>): Promise<string> =>
    (await failure(load(undefined, options))).message;
  assert.match(
    await message({ split: 'tuberlin' }),
    /the split tuberlin is of TU-Berlin Extended, and .* holds Sketchy Extended/,
  );
  assert.match(await message({ split: undefined }), /say which classes are seen .* --split sketchy1 or sketchy2/);
  assert.match(await message({ split: undefined, unseenClasses: ['bat'] }), /say which classes are seen/);
  assert.match(await message({ split: 'sketchy1' }), /sketchy1 in .* cannot be used as it is/);
  assert.match(
    await message({ root: join(folder, 'nothing') }),
    /no data set is recognized there; sketchgrad data how/,
  );
  await writeFile(join(folder, 'listed.json'), JSON.stringify({ seen: SEEN, unseen: UNSEEN, lists: 'zeroshot7' }));
  assert.match(await message({}), /listed\.json: the lists are to be in .*zeroshot7, and are not/);
});

test("a model's unseen classes name the split", async () => {
  await archives.sakeSketchy(root());
  const { unseen } = JSON.parse(
    await readFile(new URL('../../datasets/splits/sketchy2.json', import.meta.url), 'utf8'),
  ) as { unseen: string[] };
  assert.ok(unseen.map(classKey).includes('tree'));
  const { message } = await failure(load(undefined, { split: undefined, unseenClasses: [...unseen].reverse() }));
  assert.match(message, /^sketchy2 in .*there is no sketch of airplane/s);
});

test.run();
