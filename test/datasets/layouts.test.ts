import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LAYOUTS, recognize } from '../../datasets/layouts/index.ts';
import { DatasetError } from '../../src/data/dataset.ts';
import { put } from '../support/archives.ts';

const test = suite('layouts');
let folder = '';
test.before.each(async () => void (folder = await mkdtemp(join(tmpdir(), 'sketchgrad-layouts-'))));
test.after.each(() => rm(folder, { recursive: true }));

const make = async (...paths: readonly string[]): Promise<void> => {
  for (const path of paths)
    await (path.endsWith('ndjson') ? put(join(folder, path), '') : mkdir(join(folder, path), { recursive: true }));
};
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => assert.unreachable('it should have failed') as never,
    (error: Error) => error,
  );
const sake = [
  'Sketchy/256x256/sketch/tx_000000000000_ready',
  'Sketchy/256x256/photo/tx_000000000000_ready',
  'Sketchy/EXTEND_image_sketchy_ready',
  'Sketchy/zeroshot1',
];

const known: [layout: string, set: string | undefined, folders: string[], inner: string[], photos: string[]][] = [
  [
    'SAKE archive',
    'sketchy',
    sake,
    ['256x256', 'zeroshot1', 'EXTEND_image_sketchy_ready'],
    ['256x256/photo/tx_000000000000_ready', 'EXTEND_image_sketchy_ready'],
  ],
  [
    'official archive',
    'sketchy',
    [
      'Sketchy/256x256/sketch/tx_000000000000',
      'Sketchy/256x256/sketch/tx_000000000110',
      'Sketchy/256x256/photo/tx_000000000000',
      'Sketchy/EXTEND_image_sketchy',
    ],
    ['256x256'],
    ['256x256/photo/tx_000000000000', 'EXTEND_image_sketchy'],
  ],
  [
    'official archive',
    'sketchy',
    ['Sketchy/sketch/tx_000100000000', 'Sketchy/photo/tx_000000000000', 'Sketchy/extended_photo'],
    ['sketch', 'photo'],
    ['photo/tx_000000000000', 'extended_photo'],
  ],
  [
    'SAKE archive',
    'tuberlin',
    ['TUBerlin/png_ready', 'TUBerlin/ImageResized_ready', 'TUBerlin/zeroshot'],
    ['png_ready', 'zeroshot'],
    ['ImageResized_ready'],
  ],
  ['official archive', 'tuberlin', ['TU-Berlin/png', 'TU-Berlin/images'], ['png'], ['images']],
  ['official archive', 'tuberlin', ['TU-Berlin/sketches', 'TU-Berlin/images'], [], ['images']],
  [
    'Doodle2Search folders',
    'quickdraw',
    ['QuickDraw/QuickDraw_sketches_final', 'QuickDraw/QuickDraw_images_final'],
    ['QuickDraw_images_final'],
    ['QuickDraw_images_final'],
  ],
  [
    'QuickDraw ndjson',
    'quickdraw',
    ['QuickDraw/bat.ndjson', 'QuickDraw/QuickDraw_images_final'],
    ['QuickDraw_images_final'],
    ['QuickDraw_images_final'],
  ],
  [
    'QuickDraw ndjson',
    'quickdraw',
    ['QuickDraw/full/simplified/bat.ndjson', 'QuickDraw/photo/bat'],
    ['photo'],
    ['photo'],
  ],
  ['plain folders', undefined, ['own data/sketch/bat', 'own data/photo/bat'], ['sketch', 'photo'], ['photo']],
];
for (const [layout, set, folders, inner, photos] of known) {
  test(`${layout} of ${set ?? 'anything'} (${folders[0]}) is recognized in its root, above it and in it`, async () => {
    await make(...folders);
    const root = join(folder, folders[0].split('/')[0]);
    for (const place of [
      root,
      `${root}/`,
      relative(process.cwd(), root),
      folder,
      ...inner.map((name) => join(root, name)),
    ]) {
      const archive = await recognize(place);
      assert.equal([archive?.layout, archive?.set, archive?.root], [layout, set, root], place);
      assert.equal(
        archive?.photoFolders,
        photos.map((name) => join(root, name)),
      );
      assert.is(archive?.lacks, undefined);
    }
  });
}

/** The folders and files of a tree as `data how` prints it: `<root>` first, alternatives and remarks behind blanks. */
const pathsOf = (tree: readonly string[]): string[] =>
  tree.slice(1).flatMap((line) => {
    const [, shown] = /^ {2}(\S[^ ,]*)/.exec(line) ?? [];
    if (shown === undefined) return [];
    const drawn = shown.replace(/<(class|word)>/g, 'bat').replace(/\{(\w+),[^}]*\}/g, '$1');
    return [drawn.endsWith('.ndjson') ? drawn : drawn.includes('/') ? drawn.slice(0, drawn.lastIndexOf('/')) : drawn];
  });

for (const { layouts, set } of LAYOUTS.flatMap(({ source }) => source ?? []))
  for (const { name, tree } of layouts)
    test(`${name} of ${set}, as data how prints it, is recognized`, async () => {
      await make(...pathsOf(tree));
      const archive = (await recognize(folder))!;
      assert.is(archive.layout, name);
      assert.ok(archive.sketchFolders.length + archive.drawingFiles.length > 0 && archive.photoFolders.length > 0);
    });

test('of several archives side by side, the split says which', async () => {
  await make(...sake, 'TUBerlin/png_ready', 'TUBerlin/ImageResized_ready', 'other/sketch', 'other/photo');
  const error = await failure(recognize(folder));
  assert.instance(error, DatasetError);
  assert.match(error.message, /several data sets \(Sketchy, TUBerlin\); give the folder of one/);
  assert.is((await recognize(folder, 'tuberlin'))?.root, join(folder, 'TUBerlin'));
});

test('layouts that share folder names are told apart by the split, else by the classes', async () => {
  await make('sketches/cruise ship', 'sketches/bee', 'images/bee', 'images/cruise ship', 'zeroshot');
  for (const set of ['quickdraw', undefined] as const) {
    const archive = await recognize(folder, set);
    assert.equal(
      [archive?.layout, archive?.set, archive?.sketchFolders],
      ['ZSE-SBIR folders', 'quickdraw', [join(folder, 'sketches')]],
    );
  }
  assert.equal(
    [(await recognize(folder, 'tuberlin'))?.set, (await recognize(folder, 'sketchy'))?.set],
    ['tuberlin', 'tuberlin'],
  );
  await rm(join(folder, 'sketches'), { recursive: true });
  await make('sketches/t-shirt', 'sketches/bee', 'sketches/wrist-watch', 'sketches/ipod');
  assert.is((await recognize(folder))?.set, 'tuberlin');
  assert.is((await recognize(folder, 'quickdraw'))?.set, 'quickdraw');
});

test('an archive that is not whole says what is lacking', async () => {
  await make(
    'Sketchy/256x256/sketch/tx_000000000000',
    'TU/png',
    'QuickDraw/QuickDraw_images_final',
    'Drawings/a.ndjson',
  );
  const lacks = async (name: string): Promise<string | undefined> => (await recognize(join(folder, name)))?.lacks;
  assert.match((await lacks('Sketchy')) ?? '', /there is no .*photo[/\\]tx_000000000000/);
  assert.match((await lacks('TU')) ?? '', /there is no .*ImageResized: the photos are the extension's/);
  assert.match((await lacks('QuickDraw')) ?? '', /there is no .*QuickDraw_sketches_final/);
  assert.match((await lacks('Drawings')) ?? '', /there is no .*QuickDraw_images_final/);
});

test('of several renderings of Sketchy, one must be the usual one', async () => {
  await make('256x256/sketch/tx_000100000000', '256x256/sketch/tx_000000000010', '256x256/photo/tx_000000000000');
  assert.match(
    (await failure(recognize(folder))).message,
    /holds the renderings tx_000000000010, tx_000100000000, and not tx_000000000000/,
  );
  await rename(join(folder, '256x256/sketch/tx_000000000010'), join(folder, '256x256/sketch/tx_000000000000'));
  assert.equal((await recognize(folder))?.sketchFolders, [join(folder, '256x256/sketch/tx_000000000000')]);
});

test('other folders are no data set', async () => {
  await make('a/b', 'images/c', 'sketches');
  assert.is(await recognize(join(folder, 'a')), undefined);
  assert.is(await recognize(join(folder, 'nothing')), undefined);
  await make('mine/sketch/a', 'mine/photo/a', 'mine/png/drafts');
  assert.is(
    (await recognize(join(folder, 'mine')))?.layout,
    'plain folders',
    "a folder beside them does not make them TU-Berlin's",
  );
});

test.run();
