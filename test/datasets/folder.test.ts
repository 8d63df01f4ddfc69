import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadFolder, type FolderOptions } from '../../datasets/folder.ts';
import { DatasetError } from '../../src/data/dataset.ts';
import { ImageError } from '../../src/platform/node/images.ts';

const test = suite('folder');
const SIZE = 4;
const CLASSES = ['bear', 'cup', 'Hot_air balloon', 'swan', 'tree'];
let root = '';

const draw = async (path: string, color = 'red') => {
  await mkdir(join(root, dirname(path)), { recursive: true });
  await writeFile(
    join(root, path),
    `<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path fill="${color}" d="M0 0h8v8H0z"/></svg>`,
  );
};
const load = (options: Partial<FolderOptions> = {}) => loadFolder({ root, size: SIZE, ...options });
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => assert.unreachable('it should have failed') as never,
    (error: Error) => error,
  );

test.before.each(async () => {
  root = await mkdtemp(join(tmpdir(), 'sketchgrad-folder-'));
  for (const name of CLASSES) {
    for (let index = 0; index < 4; index++) await draw(`sketch/${name}/${index}.svg`, 'black');
    // The photos' folder spells one class in another way, as published data sets do.
    for (let index = 0; index < 3; index++) await draw(`photo/${name.replace('_', '-')}/${index}.svg`);
  }
});
test.after.each(() => rm(root, { recursive: true }));

test('a list of unseen classes splits the samples', async () => {
  const dataset = await load({ unseen: { classes: ['SWAN', 'hot air-balloon'] }, validationFraction: 0.25 });
  assert.equal(dataset.unseenClasses, ['Hot-air balloon', 'swan']);
  assert.equal(dataset.seenClasses, ['bear', 'cup', 'tree']);
  assert.is(dataset.queries.length, 8);
  assert.is(dataset.gallery.length, 6);
  assert.is(dataset.validation.length, 3);
  assert.is(dataset.train.length, 3 * 7 - 3);
  assert.equal(dataset.skipped, []);
  assert.ok(dataset.validation.every(({ domain }) => domain === 'sketch'));
  assert.is(dataset.queries[0].name, join(root, 'sketch', 'Hot_air balloon', '0.svg'));
});

test('the list may be the lines of a text file', async () => {
  const listFile = join(root, 'unseen.txt');
  await writeFile(listFile, 'cup\r\n\n tree \n');
  const dataset = await load({ unseen: { listFile } });
  assert.equal(dataset.unseenClasses, ['cup', 'tree']);
  assert.match(
    (await failure(load({ unseen: { listFile: join(root, 'none.txt') } }))).message,
    /none\.txt.*one class a line/,
  );
  await writeFile(listFile, Buffer.from('\uFEFFcup\r\ntree\r\n', 'utf16le'));
  assert.equal((await load({ unseen: { listFile } })).unseenClasses, ['cup', 'tree']);
  await writeFile(listFile, '\uFEFF\n \n');
  assert.match((await failure(load({ unseen: { listFile } }))).message, /unseen\.txt is empty/);
  assert.match((await failure(load({ unseen: { classes: [] } }))).message, /no unseen class is named/);
});

test('a fraction is drawn by the seed, and again the same', async () => {
  const names = async (seed: number) => {
    const { unseenClasses, validation } = await load({ unseen: { fraction: 0.4 }, validationFraction: 0.3, seed });
    return { unseenClasses, validation: validation.map(({ name }) => relative(root, name)) };
  };
  const first = await names(1);
  assert.is(first.unseenClasses.length, 2);
  assert.is(first.validation.length, 4);
  assert.equal(await names(1), first);
  const others = await Promise.all([2, 3, 4].map(names));
  assert.ok(others.some((other) => other.unseenClasses.join() !== first.unseenClasses.join()));
});

test('validation leaves every class a sketch to train on', async () => {
  const { train, validation } = await load({ unseen: { classes: ['cup'] }, validationFraction: 0.99 });
  assert.is(validation.length, 4 * 3);
  assert.is(train.filter(({ domain }) => domain === 'sketch').length, 4);
});

test('pixels are the same from memory, from disk, and at another size', async () => {
  const kept = await load();
  const reread = await load({ memoryBudget: 0 });
  const sample = kept.gallery[0];
  const red = (side: number) => new Uint8Array(side * side * 3).map((_, index) => (index % 3 === 0 ? 255 : 0));
  assert.equal(await kept.images.read(sample, SIZE), red(SIZE));
  assert.equal(await reread.images.read(sample, SIZE), red(SIZE));
  assert.equal(await kept.images.read(sample, 2), red(2));
  await rm(sample.name);
  assert.equal(await kept.images.read(sample, SIZE), red(SIZE), 'within the budget the file is not needed again');
  assert.instance(await failure(reread.images.read(sample, SIZE)), ImageError);
});

test('an image that cannot be decoded is skipped and named, or stops a strict loading', async () => {
  const bad = join(root, 'photo', 'cup', 'bad.png');
  await writeFile(bad, 'no picture');
  await writeFile(join(root, 'photo', 'cup', 'notes.txt'), 'not an image, and not taken for one');
  const dataset = await load();
  assert.equal(
    dataset.skipped.map(({ path }) => path),
    [bad],
  );
  assert.not([...dataset.train, ...dataset.gallery].some(({ name }) => name === bad));
  const error = await failure(load({ strict: true }));
  assert.instance(error, ImageError);
  assert.ok(error.message.includes(bad));
});

test('entries that are no pictures are skipped and told', async () => {
  await symlink('/nowhere', join(root, 'photo', 'old'));
  await symlink('/nowhere', join(root, 'photo', 'cup', 'gone.svg'));
  await draw('photo/@eaDir/thumbnail.svg');
  await draw('photo/cup/._0.svg');
  await writeFile(join(root, 'photo', 'cup', 'phone.HEIC'), '');
  const notices: string[] = [];
  const { gallery } = await load({ unseen: { classes: ['cup'] }, onNotice: (notice) => void notices.push(notice) });
  assert.is(gallery.length, 3);
  assert.is(notices.length, 3);
  assert.match(
    notices.join(),
    /skipped: .*photo.old: the link leads nowhere.*gone\.svg: the link leads nowhere.*1 \.heic passed over/s,
  );
});

test('where the data is only measured on, all classes may be unseen, and photos alone are distractors', async () => {
  await draw('photo/zebra/0.svg');
  const notices: string[] = [];
  const all = await load({
    unseen: { fraction: 1 },
    trainable: false,
    onNotice: (notice) => void notices.push(notice),
  });
  assert.equal([all.seenClasses, all.unseenClasses.length, all.queries.length, all.gallery.length], [[], 6, 20, 16]);
  assert.equal(notices, ['1 classes without a sketch are searched as well: zebra']);
  const others = await load({ unseen: { allBut: ['CUP', 'hot air balloon', 'unicorn'] }, trainable: false });
  assert.equal(
    [others.seenClasses, others.unseenClasses],
    [
      ['Hot-air balloon', 'cup'],
      ['bear', 'swan', 'tree', 'zebra'],
    ],
  );
  assert.match(
    (await failure(load({ unseen: { allBut: [...CLASSES, 'Zebra'] }, trainable: false }))).message,
    /was trained on every class of/,
  );
  assert.match((await failure(load())).message, /photo has the classes zebra, which .*sketch lacks/);
});

test('a class whose images are all damaged is an error, even where one is skipped', async () => {
  for (let index = 0; index < 3; index++) await writeFile(join(root, 'photo', 'cup', `${index}.svg`), 'no picture');
  const error = await failure(load());
  assert.instance(error, DatasetError);
  assert.match(error.message, /class cup is without a photo; add at least one/);
});

const mistakes: [name: string, make: () => Promise<unknown>, options: () => Partial<FolderOptions>, message: RegExp][] =
  [
    [
      'a missing root',
      async () => 0,
      () => ({ root: join(root, 'absent') }),
      /absent.*cannot be read.*must hold sketch\/<class>\/ and photo\/<class>\//,
    ],
    [
      'a missing domain',
      () => rm(join(root, 'photo'), { recursive: true }),
      () => ({}),
      /photo cannot be read.*must hold/,
    ],
    [
      'an empty class',
      () => mkdir(join(root, 'sketch', 'zebra')).then(() => mkdir(join(root, 'photo', 'zebra'))),
      () => ({}),
      /zebra has no image \(\.png.*add one, or remove/,
    ],
    [
      'a class in one domain',
      () => draw('sketch/zebra/0.svg'),
      () => ({}),
      /sketch has the classes zebra, which .*photo lacks; add them/,
    ],
    [
      'two spellings of a class in one domain',
      () => draw('sketch/BEAR/0.svg'),
      () => ({}),
      /"BEAR" and "bear" name one class; merge/,
    ],
    [
      'an unknown unseen class',
      async () => 0,
      () => ({ unseen: { classes: ['cup', 'unicorn'] } }),
      /does not have: unicorn; correct the list\. Its classes are: .*bear/,
    ],
    ['no seen class', async () => 0, () => ({ unseen: { classes: CLASSES } }), /no seen class is left/],
    [
      'a fraction out of range',
      async () => 0,
      () => ({ unseen: { fraction: 1 } }),
      /fraction of unseen classes must be at least 0 and below 1/,
    ],
    [
      'a validation fraction out of range',
      async () => 0,
      () => ({ validationFraction: -0.1 }),
      /validation fraction must be/,
    ],
  ];
for (const [name, make, options, message] of mistakes) {
  test(`${name} is an error that says what to do`, async () => {
    await make();
    const error = await failure(load(options()));
    assert.instance(error, DatasetError);
    assert.match(error.message, message);
  });
}

test('no class at all is an error that shows the layout', async () => {
  for (const domain of ['sketch', 'photo']) {
    await rm(join(root, domain), { recursive: true });
    await mkdir(join(root, domain));
  }
  assert.match((await failure(load())).message, /no class was found: .* must hold/);
});

test('photos alone are a data set where sketches of them are simulated', async () => {
  await rm(join(root, 'sketch'), { recursive: true });
  assert.match((await failure(load())).message, /sketch.*cannot be read/);
  const dataset = await load({ pseudoSketches: true, unseen: { classes: ['swan'] }, validationFraction: 0.25 });
  const seen = [...dataset.train, ...dataset.validation];
  assert.is(seen.filter(({ domain }) => domain === 'photo').length, 4 * 3);
  const sketches = seen.filter(({ domain }) => domain === 'sketch');
  assert.is(sketches.length, 4 * 3, 'one a photo');
  assert.is(dataset.validation.length, 3);
  assert.equal(
    dataset.queries.map(({ name }) => name),
    [0, 1, 2].map((index) => `${join(root, 'photo', 'swan', `${index}.svg`)} (simulated sketch)`),
  );
  const read = async (step: number): Promise<string> =>
    (await dataset.images.read(sketches[0], 32, { seed: 1, address: [step, 0] })).join();
  assert.is(await read(1), await read(1));
  assert.not.equal(await read(1), await read(2), 'another one at each step');
  const [identity] = (await dataset.images.identify?.([sketches[0]])) as string[];
  await writeFile(
    sketches[0].name.replace(' (simulated sketch)', ''),
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="8"/>',
  );
  assert.not.equal(
    (await dataset.images.identify?.([sketches[0]])) as string[],
    [identity],
    'a changed photo is a changed sketch',
  );
});

test('simulated sketches come beside real ones, which choose the checkpoint and are searched with', async () => {
  await rm(join(root, 'sketch', 'cup'), { recursive: true });
  assert.match((await failure(load())).message, /--pseudo-sketches/);
  const dataset = await load({ pseudoSketches: true, unseen: { classes: ['swan'] }, validationFraction: 0.25 });
  const sources = (className: string): (string | undefined)[] => [
    ...new Set(
      dataset.train
        .filter((sample) => sample.className === className && sample.domain === 'sketch')
        .map(({ source }) => source),
    ),
  ];
  assert.equal(sources('bear').sort(), ['simulated', undefined]);
  assert.equal(sources('cup'), ['simulated']);
  assert.ok([...dataset.validation, ...dataset.queries].every(({ source }) => source === undefined));
  assert.is(dataset.queries.length, 4);
});

test.run();
