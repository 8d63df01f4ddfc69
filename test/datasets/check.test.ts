import { copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import sharp from 'sharp';
import { checkArchive, type CheckReport } from '../../datasets/check.ts';
import { recognize } from '../../datasets/layouts/index.ts';
import type { Split } from '../../datasets/splits.ts';
import * as archives from '../support/archives.ts';

const test = suite('data check');
const { SEEN, UNSEEN, SKETCHES, PHOTOS } = archives;
const SPLIT: Split = {
  name: 'own',
  title: 'Own',
  source: 'a test',
  seen: SEEN,
  unseen: UNSEEN,
  set: 'sketchy',
  lists: 'zeroshot1',
};
const IMAGES = 5 * (SKETCHES.length + PHOTOS.length);
let root = '';
test.before.each(async () => {
  root = await mkdtemp(join(tmpdir(), 'sketchgrad-check-'));
});
test.after.each(() => rm(root, { recursive: true }));

async function check(...splits: readonly Split[]): Promise<CheckReport> {
  const archive = await recognize(root);
  if (archive === undefined) assert.unreachable('the archive should have been recognized');
  return checkArchive(archive as NonNullable<typeof archive>, splits.length > 0 ? splits : [SPLIT]);
}
const photo = (name: string, file = PHOTOS[0]): string => join(root, '256x256/photo/tx_000000000000_ready', name, file);
const sketch = (name: string, file = SKETCHES[0]): string =>
  join(root, '256x256/sketch/tx_000000000000_ready', name, file);
const told = ({ problems }: CheckReport): string[] =>
  problems.map(
    ({ severity, kind, file, line }) =>
      `${severity} ${kind} ${file.slice(root.length + 1)}${line === undefined ? '' : `:${line}`}`,
  );

test('an archive in order has no problem, and its images are counted by class', async () => {
  await archives.sakeSketchy(root);
  const progress: number[] = [];
  const archive = (await recognize(root))!;
  const report = await checkArchive(archive, [SPLIT], { onProgress: (done, total) => progress.push(done / total) });
  assert.equal(report.problems, []);
  assert.equal([report.layout, report.title, report.images], ['SAKE archive', 'Sketchy Extended', IMAGES]);
  assert.ok(report.bytes > 50 * IMAGES);
  assert.equal(progress.at(-1), 1);
  const [{ images, classes }] = report.splits;
  assert.equal(images, { train: 3 * 6, validation: 3, queries: 8, gallery: 6 });
  assert.equal(classes, [
    ...SEEN.map((name) => ({ name, part: 'seen', sketches: 4, heldOut: 1, photos: 3 })),
    ...UNSEEN.map((name) => ({ name, part: 'unseen', sketches: 4, heldOut: 0, photos: 3 })),
  ]);
});

test('damaged, cut off and empty images are told with the line that names them', async () => {
  await archives.sakeSketchy(root);
  await writeFile(photo('tree'), 'no picture');
  await writeFile(photo('wine bottle'), '');
  const jpeg = await sharp(Buffer.alloc(3 * 64 * 64, 90), { raw: { width: 64, height: 64, channels: 3 } })
    .composite([{ input: await archives.picture('x'), tile: true }])
    .jpeg()
    .toBuffer();
  await writeFile(photo(SEEN[0]), jpeg);
  await truncate(photo(SEEN[0]), jpeg.length - 200);
  await truncate(sketch(SEEN[1]), (await readFile(sketch(SEEN[1]))).length - 30);
  const report = await check();
  const prefix = 'error unreadable 256x256/';
  assert.equal(told(report).sort(), [
    `${prefix}photo/tx_000000000000_ready/${SEEN[0]}/${PHOTOS[0]}`,
    `${prefix}photo/tx_000000000000_ready/tree/${PHOTOS[0]}`,
    `${prefix}photo/tx_000000000000_ready/wine bottle/${PHOTOS[0]}`,
    `${prefix}sketch/tx_000000000000_ready/${SEEN[1]}/${SKETCHES[0]}`,
  ]);
  const message = (part: string): string => report.problems.find(({ file }) => file.includes(part))?.message ?? '';
  assert.match(message('tree'), /it cannot be decoded: .* \(all_photo_filelist_zero\.txt:1 names it\)/);
  assert.match(message('wine bottle'), /the file is empty \(all_photo_filelist_zero\.txt:4 names it\)/);
});

test('a copy is a warning, and a copy in seen and unseen classes an error', async () => {
  await archives.sakeSketchy(root);
  await copyFile(photo('tree', PHOTOS[1]), photo('tree'));
  await copyFile(photo(SEEN[0]), photo(SEEN[1]));
  await copyFile(photo(SEEN[2]), photo('wine bottle'));
  const report = await check();
  const prefix = '256x256/photo/tx_000000000000_ready';
  assert.equal(told(report).sort(), [
    `error leak ${prefix}/wine bottle/${PHOTOS[0]}`,
    `warning duplicate ${prefix}/mouse (animal)/${PHOTOS[0]}`,
    `warning duplicate ${prefix}/tree/${PHOTOS[0]}`,
  ]);
  const message = (part: string): string => report.problems.find(({ file }) => file.includes(part))?.message ?? '';
  assert.match(
    message('wine bottle'),
    /the same image as .*crème brûlée.*, and of the class crème brûlée, not wine bottle: in own, one is seen in training and one measured on/,
  );
  assert.match(message('mouse'), /the same image as .*hot-air_balloon.*, and of the class hot-air_balloon, not mouse/);
  assert.match(message('/tree/'), /the same image as .*tree[/\\]a photo 12\.JPEG$/);
});

test('every missing file is told, and all lists together', async () => {
  await archives.sakeSketchy(root);
  for (const file of PHOTOS.slice(0, 2)) await rm(photo('tree', file));
  await rm(sketch(SEEN[0], SKETCHES[3]));
  assert.equal(told(await check()), [
    'error missing zeroshot1/sketch_tx_000000000000_ready_filelist_test.txt:1',
    'error missing zeroshot1/all_photo_filelist_zero.txt:1',
    'error missing zeroshot1/all_photo_filelist_zero.txt:2',
  ]);
});

test('counts are held against the published ones', async () => {
  await archives.sakeSketchy(root);
  const published = { queries: 8, gallery: 7, sketchesPerClass: 4 };
  const report = await check({ ...SPLIT, published });
  assert.equal(
    report.problems.map(({ kind, severity, message }) => [kind, severity, message]),
    [['count', 'warning', "own: 6 photos in the gallery, and the literature's figures are of 7"]],
  );
  const other = await check({ ...SPLIT, published: { ...published, gallery: 6, sketchesPerClass: 80 } });
  assert.match(
    other.problems[0].message,
    /other than 80 sketches in a class: hot-air_balloon 4, mouse \(animal\) 4, .*, wine bottle 4/,
  );
});

test('splits of the same files read them once, and tell a problem once', async () => {
  await archives.officialSketchy(root);
  const damaged = join(root, 'EXTEND_image_sketchy', 'Hot Air Balloon', PHOTOS[2]);
  await writeFile(damaged, 'no picture');
  const one = { ...SPLIT, lists: undefined };
  const report = await check(one, { ...one, name: 'other', seen: UNSEEN, unseen: SEEN });
  assert.is(report.images, IMAGES);
  assert.equal(
    report.problems.map(({ file }) => file),
    [damaged],
  );
  assert.equal(
    report.splits.map(({ images }) => images.queries),
    [8, 12],
  );
});

test('drawings are drawn, and told with their line', async () => {
  await archives.ndjsonQuickdraw(root);
  const file = join(root, 'tree.ndjson');
  const [first, second, ...rest] = (await readFile(file, 'utf8')).split('\n');
  await writeFile(
    file,
    [
      first,
      second.replace('"key_id":"31"', '"key_id":"30"'),
      first.replace('"key_id":"30"', '"key_id":"39"'),
      ...rest,
    ].join('\n'),
  );
  const report = await check({ ...SPLIT, set: 'quickdraw', lists: undefined });
  assert.equal(told(report), ['error duplicate tree.ndjson:2', 'warning duplicate tree.ndjson:3']);
  assert.is(report.images, IMAGES);
});

test.run();
