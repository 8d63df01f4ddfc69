import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSafetensors } from '../../src/formats/safetensors.ts';
import { serializeSealed } from '../../src/formats/sealed.ts';
import { markBelow } from '../../src/retrieval/cut-off.ts';
import {
  iconId,
  iconRow,
  openIconIndex,
  serializeIconIndex,
  setOfRow,
  type IconIndex,
} from '../../src/retrieval/icon-index.ts';
import { IconRanking } from '../../src/retrieval/icon-ranking.ts';
import { assertSameModel, IndexFileError, openIndex, serializeIndex } from '../../src/retrieval/index-file.ts';
import { toInt8Vectors } from '../../src/retrieval/int8-vectors.ts';

const licence = (spdx: string): IconIndex['sets'][number]['licence'] => ({ title: `${spdx} licence`, spdx, url: '' });
const ANGLES = [0, 10, 20, 30, 40, 50];
const index: IconIndex = {
  sets: [
    { prefix: 'a', title: 'Ä', licence: licence('MIT'), count: 2 },
    { prefix: 'b-b', title: 'B', licence: licence('Apache-2.0'), count: 4 },
  ],
  names: ['cat', 'dog', 'ant', 'cat', 'dog-2', 'eel'],
  styles: new Uint8Array([0, 1, 0, 1, 2, 3]),
  vectors: toInt8Vectors(
    Float32Array.from(
      ANGLES.flatMap((degrees) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]),
    ),
    2,
  ),
  dimension: 2,
  modelChecksum: 'abc123',
  sources: {
    digests: Uint32Array.from({ length: 12 }, (_, i) => 4_000_000_000 + i),
    thick: new Uint8Array([0, 9, 0, 9, 3, 255]),
    renderer: 'a renderer',
  },
};
const withoutSources: IconIndex = { ...index };
delete (withoutSources as { sources?: unknown }).sources;

test('an index comes back as it was, from bytes that begin anywhere', async () => {
  for (const written of [index, withoutSources]) {
    const bytes = await serializeIconIndex(written);
    assert.equal(await serializeIconIndex(await openIconIndex(bytes)), bytes);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    assert.equal(await openIconIndex(shifted.subarray(3)), written);
  }
  const empty: IconIndex = {
    ...withoutSources,
    sets: [],
    names: [],
    styles: new Uint8Array(0),
    vectors: new Int8Array(0),
  };
  assert.equal(await openIconIndex(await serializeIconIndex(empty)), empty);
});

test('icons are found by name, and named by row', () => {
  index.names.forEach((name, row) => {
    const { prefix } = setOfRow(index.sets, row);
    assert.is(iconId(index, row), `${prefix}:${name}`);
    assert.is(iconRow(index, prefix, name), row);
  });
  for (const [prefix, name] of [
    ['a', 'ant'],
    ['a', 'eel'],
    ['b-b', 'zoo'],
    ['b-b', ''],
    ['c', 'cat'],
    ['', 'cat'],
  ])
    assert.is(iconRow(index, prefix, name), undefined);
  assert.throws(() => setOfRow(index.sets, 6), RangeError);
});

test('a contradiction is neither written nor read', async () => {
  const refused = async (changes: Partial<IconIndex>, message: RegExp): Promise<void> => {
    await serializeIconIndex({ ...index, ...changes }).then(
      () => assert.unreachable(String(message)),
      (error: Error) => assert.ok(error instanceof IndexFileError && message.test(error.message), error.message),
    );
  };
  await refused({ names: ['cat'] }, /6 icons, and its parts are of 1, 6/);
  await refused({ names: ['dog', 'cat', ...index.names.slice(2)] }, /names of a are not sorted/);
  await refused({ names: ['cat', 'cat', ...index.names.slice(2)] }, /not sorted/);
  await refused({ names: ['../cat', ...index.names.slice(1)] }, /"..\/cat" is no name/);
  await refused({ sets: [{ ...index.sets[0], prefix: 'b-b' }, index.sets[1]] }, /a set occurs twice/);
  await refused({ styles: new Uint8Array([0, 1, 0, 1, 2, 4]) }, /styles that this program does not know/);
  await refused({ dimension: 3 }, /6 icons, and its parts/);
  await refused({ modelChecksum: '' }, /which model/);
});

test('files of other kinds, and damaged ones, are refused with what to do', async () => {
  const refused = async (bytes: Uint8Array, message: RegExp): Promise<void> => {
    await openIconIndex(bytes, 'my.index').then(
      () => assert.unreachable(String(message)),
      (error: Error) => assert.ok(message.test(error.message) && error.message.startsWith('my.index'), error.message),
    );
  };
  const pictures = serializeIndex({
    embeddings: new Float32Array([1]),
    dimension: 1,
    paths: ['a'],
    modelChecksum: 'm',
  });
  await refused(pictures, /index of pictures.*--index/);
  const bytes = await serializeIconIndex(index);
  assert.throws(() => openIndex(bytes, 'my.index'), /my.index is an index of icons.*--icons/);
  const damaged = bytes.slice();
  damaged[damaged.length - 1] ^= 1;
  await refused(damaged, /its digest is of other bytes.*sketchgrad icons/);
  const { tensors, metadata } = parseSafetensors(bytes);
  const changed = (changes: Record<string, string>, without = ''): Promise<Uint8Array> =>
    serializeSealed(
      [...tensors]
        .filter(([name]) => name !== without)
        .map(([name, { dtype, shape, bytes: data }]) => [name, { dtype, shape, data }]),
      [...metadata, ...Object.entries(changes)],
    );
  await refused(await changed({ format: 'other' }), /no icon index/);
  await refused(await changed({ format_version: '2' }), /version "2"/);
  for (const sets of [
    '',
    '{}',
    '[1]',
    '[{"prefix":"a"}]',
    '[{"prefix":"a","title":"A","licence":{"title":"","spdx":"","url":""},"count":-1}]',
  ])
    await refused(await changed({ sets }), /list of sets/);
  for (const name of ['names', 'styles', 'vectors', 'source.thick'])
    await refused(await changed({}, name), /is missing/);
});

test('another model is refused with the command that makes the index again', () => {
  assert.throws(
    () => assertSameModel(index, 'def456', 'sketchgrad icons --out my.index'),
    /abc123.*def456.*sketchgrad icons --out my.index/,
  );
});

test('the best icons come first, of those that the filter lets through', () => {
  const ranking = new IconRanking(index);
  const found = (filter?: Parameters<IconRanking['rank']>[2], k = 9): number[] =>
    ranking.rank(new Float32Array([2, 0.1]), k, filter).map(({ index: row }) => row);
  assert.equal(found(), [0, 1, 2, 3, 4, 5]);
  assert.equal(found({}, 2), [0, 1]);
  assert.equal(found({ sets: [], styles: [], licences: [] }, 2), [0, 1]);
  assert.equal(found({ sets: ['b-b'] }), [2, 3, 4, 5]);
  assert.equal(found({ styles: ['solid', 'colour'] }), [1, 3, 5]);
  assert.equal(found({ licences: ['mit'] }), [0, 1]);
  assert.equal(found({ licences: ['APACHE-2.0 LICENCE'], styles: ['outline'] }), [2]);
  assert.equal(found({ sets: ['a'], styles: ['colour'] }), []);
  assert.throws(() => found({ sets: ['c'] }), /no set "c"; it has a, b-b/);
  assert.throws(() => found({ styles: ['thin' as 'solid'] }), /no style "thin"; it has/);
  assert.throws(() => found({ licences: ['GPL'] }), /no licence "GPL"; it has Apache-2.0, MIT/);
  // Of one of the icons: itself first, where the filter lets it through.
  const like = (row: number, filter = {}): number[] => ranking.rankLike(row, 9, filter).map(({ index: each }) => each);
  assert.is(like(4)[0], 4);
  assert.is(like(4).length, 6);
  assert.equal(like(4, { sets: ['a'] }).sort(), [0, 1]);
  assert.throws(() => like(6), RangeError);
  const [{ score }] = ranking.rank(new Float32Array([1, 1]), 1);
  assert.ok(Math.abs(score - Math.cos((5 * Math.PI) / 180)) < 0.01, `${score}`);
});

test('what is below the cut-off is marked; a query that all is below of finds nothing', () => {
  const results = [0.9, 0.5, 0.5].map((similarity) => ({ similarity }));
  assert.equal(markBelow(results, undefined), { nothingLike: false, results });
  assert.equal(markBelow(results, 0.5), { nothingLike: false, results });
  assert.equal(markBelow(results, 0.6), {
    nothingLike: false,
    results: [{ similarity: 0.9 }, { similarity: 0.5, belowCutOff: true }, { similarity: 0.5, belowCutOff: true }],
  });
  assert.is(markBelow(results, 0.95).nothingLike, true);
  assert.equal(markBelow([], 0), { nothingLike: true, results: [] });
});

test.run();
