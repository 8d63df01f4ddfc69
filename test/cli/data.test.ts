import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PUBLISHED_SPLITS } from '../../datasets/splits.ts';
import { runCaptured } from '../support/command-output.ts';
import * as archives from '../support/archives.ts';

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-data-'));
  await archives.sakeSketchy(at('Sketchy'));
  await archives.plainFolders(at('own'));
  await writeFile(
    at('split.json'),
    JSON.stringify({ seen: archives.SEEN, unseen: archives.UNSEEN, lists: 'zeroshot1' }),
  );
});
test.after(() => rm(folder, { recursive: true }));

const data = (...words: string[]): ReturnType<typeof runCaptured> => runCaptured(['data', ...words]);

test('data check: layout, counts, no problem, exit status 0', async () => {
  const { code, stdout, stderr } = await data(
    'check',
    at('Sketchy', '256x256'),
    '--split',
    at('split.json'),
    '--per-class',
  );
  assert.is(code, 0, stderr);
  assert.match(stdout, `${at('Sketchy')}: SAKE archive of Sketchy Extended`);
  assert.match(stdout, /by the lists in zeroshot1/);
  assert.match(stdout, /sketches to train on +3 +9 +3/);
  assert.match(stdout, /queries, unseen +2 +8 +4/);
  assert.match(stdout, /mouse \(animal\) +seen +4 +1 +3/);
  assert.match(stdout, /35 images read and decoded, .*: 0 errors, 0 warnings/);
});

test('data check: problems are told on stdout with file and line, and the exit status is 1', async () => {
  const { code, stdout, stderr } = await data('check', at('Sketchy'));
  assert.is(code, 1);
  assert.match(stdout, /error: .*zeroshot1[/\\]cname_cid\.txt:2: "mouse \(animal\)" is no class of this split/);
  assert.match(stdout, /error: .*Sketchy: there is no photo of airplane, /);
  assert.match(stdout, /warning: .*sketchy2: 4 queries, and the literature's figures are of 12694/);
  assert.match(stderr, /sketchgrad: .*Sketchy: \d+ errors; with them the data cannot be used/);
});

test('data check: --strict fails for warnings; plain folders need no split', async () => {
  const whole = await data('check', at('own'));
  assert.is(whole.code, 0, whole.stderr);
  assert.match(whole.stdout, /own: plain folders\n\nAll classes \(all classes\)/);
  const copy = at('own', 'photo', 'tree', 'copy.png');
  await writeFile(copy, await archives.picture(`photo tree ${archives.PHOTOS[0]}`));
  const lenient = await data('check', at('own'));
  assert.is(lenient.code, 0, lenient.stderr);
  assert.match(lenient.stdout, /warning: .*tree[/\\].*: the same image as .*tree/);
  const strict = await data('check', at('own'), '--strict');
  assert.is(strict.code, 1);
  assert.match(strict.stderr, /1 warning, and --strict was given/);
  await rm(copy);
});

test('data check: --json is the whole report', async () => {
  const { code, stdout } = await data('check', at('own'), '--json');
  assert.is(code, 0);
  const report = JSON.parse(stdout) as {
    layout: string;
    images: number;
    problems: unknown[];
    splits: { classes: { name: string; photos: number }[] }[];
  };
  assert.equal([report.layout, report.images, report.problems.length], ['plain folders', 35, 0]);
  assert.ok(report.splits[0].classes.every(({ photos }) => photos === archives.PHOTOS.length));
});

test('data check: what is no data set is said', async () => {
  const { code, stderr } = await data('check', at('nothing'));
  assert.is(code, 1);
  assert.match(stderr, /nothing: no data set is recognized there; sketchgrad data how/);
  assert.match((await data('check', at('own'), at('Sketchy'))).stderr, /one folder at a time/);
  assert.match(
    (await data('check', at('Sketchy'), '--split', 'tuberlin')).stderr,
    /the split tuberlin is of TU-Berlin Extended/,
  );
});

test('data how: every published split, each layout, and the terms', async () => {
  const { code, stdout } = await data('how');
  assert.is(code, 0);
  for (const words of [
    ...PUBLISHED_SPLITS,
    'SAKE archive',
    'official archive',
    'Doodle2Search folders',
    'QuickDraw ndjson',
    'plain folders',
    'Creative Commons Attribution 4.0',
    "see the publisher's page",
    'Nothing is downloaded',
  ])
    assert.ok(stdout.includes(words), words);
  const sources = JSON.parse((await data('how', '--json')).stdout) as { splits: string[] }[];
  assert.equal(sources.flatMap(({ splits }) => splits).sort(), [...PUBLISHED_SPLITS].sort());
});

test('data: the subject alone lists its commands', async () => {
  const { stdout, stderr } = await data();
  assert.match(stdout + stderr, /check .*<folder\.\.\.>[^]*how/);
});

test.run();
