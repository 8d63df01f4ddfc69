import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classKey } from '../../src/data/class-names.ts';
import { PUBLISHED_SPLITS, publishedSplits, readSplit } from '../../datasets/splits.ts';
import { DatasetError } from '../../src/data/dataset.ts';
import { requireUnseen } from '../../src/models/evaluation.ts';
import { put } from '../support/archives.ts';

const test = suite('splits');
let folder = '';
test.before(async () => void (folder = await mkdtemp(join(tmpdir(), 'sketchgrad-splits-'))));
test.after(() => rm(folder, { recursive: true }));

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => assert.unreachable('it should have failed') as never,
    (error: Error) => error,
  );

/** method.md's table. */
const COUNTS = {
  sketchy1: [100, 25, 15229, 17101],
  sketchy2: [104, 21, 12694, 12553],
  tuberlin: [220, 30, 2400, 27989],
  quickdraw: [80, 30, 92291, 54151],
} as const;

for (const name of PUBLISHED_SPLITS) {
  test(`${name} has the published numbers of classes, each once`, async () => {
    const split = await readSplit(name);
    const { seen, unseen, published } = split;
    assert.equal([seen.length, unseen.length, published?.queries, published?.gallery], [...COUNTS[name]]);
    assert.is(new Set([...seen, ...unseen].map(classKey)).size, seen.length + unseen.length);
    assert.ok(split.source.length > 20 && split.title.length > 0);
    for (const [other, own] of Object.entries(split.spellings ?? {})) {
      assert.ok([...seen, ...unseen].includes(own), own);
      assert.not(
        [...seen, ...unseen].some((one) => classKey(one) === classKey(other)),
        other,
      );
    }
  });
}

test('the two splits of Sketchy are of the same classes', async () => {
  const [one, two] = await publishedSplits('sketchy');
  const all = ({ seen, unseen }: typeof one): string[] => [...seen, ...unseen].sort();
  assert.equal(all(one), all(two));
  assert.is(two.seen.join(), [...two.seen].sort().join(), 'seen ids are alphabetical, as its source says');
});

test('a class is the same in every spelling', () => {
  for (const other of ['hot-air_balloon', 'Hot Air Balloon', 'HOT_AIR-BALLOON', ' hot  air balloon '])
    assert.is(classKey(other), 'hot air balloon');
  assert.is(classKey('crème'.normalize('NFD')), classKey('crème'.normalize('NFC')));
  assert.is.not(classKey('hotdog'), classKey('hot dog'));
  for (const [misspelled, name] of [
    ['Skyscrapper', 'skyscraper'],
    ['RACOON', 'raccoon'],
    ['rhinocerous', 'rhinoceros'],
    ['teddybear', 'teddy_bear'],
    ['T-Shirt', 'tshirt'],
  ])
    assert.is(classKey(misspelled), classKey(name));
});

test('no published class changes its name by the table of misspellings', async () => {
  for (const { seen, unseen } of await Promise.all(PUBLISHED_SPLITS.map(readSplit))) {
    for (const name of [...seen, ...unseen])
      assert.is(
        classKey(name),
        name
          .toLowerCase()
          .normalize('NFC')
          .replace(/[-_\s]+/g, ' ')
          .trim(),
      );
  }
});

test("a model's classes are not measured under another spelling", () => {
  assert.throws(
    () => requireUnseen(['Dog', 'Horse', 'cow'], ['dog', 'horse'], 'model.safetensors'),
    /model.safetensors was trained on Dog, Horse: measured on them/,
  );
  requireUnseen(['cow'], ['dog', 'horse'], 'model.safetensors');
});

test('a split may be written in UTF-16, or with a byte order mark', async () => {
  const file = join(folder, 'windows.json');
  const text = '{"seen": ["cat"], "unseen": ["Kröte"]}';
  for (const bytes of [
    Buffer.from(`\uFEFF${text}`),
    Buffer.from(`\uFEFF${text}`, 'utf16le'),
    Buffer.from(text, 'utf16le'),
    Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
  ]) {
    await put(file, bytes);
    assert.equal((await readSplit(file)).unseen, ['Kröte']);
  }
  await put(file, Buffer.from(text, 'latin1'));
  assert.match(
    (await failure(readSplit(file))).message,
    /windows.json.*cannot be read: the file is no text in UTF-8; save it as UTF-8/,
  );
});

test('a key is its own key, and blanks, hyphens and underscores are one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const key = classKey(name);
      assert.is(classKey(key), key);
      assert.is(classKey(`_${name} `), key);
      assert.is(classKey(name.normalize('NFD')), key);
      assert.is(classKey(name.replace(/ /g, '-_')), key);
    }),
  );
});

test("people's own split is a JSON file", async () => {
  const file = join(folder, 'own.json');
  await put(file, '{"seen": ["a", "b c"], "unseen": ["d"], "lists": "zeroshot9"}');
  const { name, seen, unseen, set, lists } = await readSplit(file);
  assert.equal(
    { name, seen, unseen, set, lists },
    { name: file, seen: ['a', 'b c'], unseen: ['d'], set: undefined, lists: 'zeroshot9' },
  );
});

const mistakes: [content: string | undefined, message: RegExp][] = [
  [undefined, /none of sketchy1, sketchy2, tuberlin, quickdraw, and as a file it cannot be read: ENOENT/],
  ['{"seen": [', /is no JSON/],
  ['["a"]', /must hold \{"seen"/],
  ['{"seen": ["a", 3], "unseen": []}', /must hold \{"seen"/],
  ['{"seen": ["a", " "], "unseen": []}', /must hold \{"seen"/],
  ['{"seen": ["hot_dog"], "unseen": ["Hot Dog"]}', /"hot_dog" and "Hot Dog" are one class/],
  ['{"seen": ["a"], "unseen": ["b"], "lists": "../x"}', /"lists" must be the name of a folder/],
];
for (const [index, [content, message]] of mistakes.entries()) {
  test(`a split that cannot be used is told with its file (${index})`, async () => {
    const file = join(folder, `wrong${index}.json`);
    if (content !== undefined) await put(file, content);
    const error = await failure(readSplit(file));
    assert.instance(error, DatasetError);
    assert.ok(error.message.includes(file));
    assert.match(error.message, message);
  });
}

test.run();
