// Changes of an index on disk, as sketchgrad serve makes them while it runs.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { updateIndex, type NewPicture } from '../../src/cli/files/update-index.ts';
import { IndexFolderWriter } from '../../src/platform/node/index-folder.ts';
import { readIndex } from '../../src/platform/node/read-index.ts';
import { encode, fitBinaryCoder } from '../../src/retrieval/binary-codes.ts';
import { IndexModelMismatchError, serializeIndex } from '../../src/retrieval/index-file.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';

const DIMENSION = 6;
const MODEL = 'a'.repeat(64);
const uniform = uniformNumbers(7);

function picture(name: string): NewPicture {
  const values = Float32Array.from({ length: DIMENSION }, () => uniform() - 0.5);
  const length = Math.hypot(...values);
  return { path: name, size: 3, time: 4, digest: 'f'.repeat(64), embedding: values.map((value) => value / length) };
}

const before = ['b', 'd', 'f', 'h', 'j'].map(picture);
const added = ['k', 'a', 'd', 'e'].map(picture);
/** By path: `d` is replaced, `f` is removed, and `z` was never there. */
const expected = new Map([...before, ...added].filter(({ path: name }) => name !== 'f').map((one) => [one.path, one]));
const vectorsOf = (pictures: readonly NewPicture[]): Float32Array =>
  Float32Array.from(pictures.flatMap(({ embedding }) => [...embedding]));

test('pictures of an index file and of an index folder are replaced, added and removed', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'sketchgrad-update-index-'));
  try {
    const file = path.join(root, 'index.safetensors');
    const embeddings = vectorsOf(before);
    const { coder } = fitBinaryCoder(embeddings, DIMENSION, { bits: 4 });
    const codes = { coder, rows: encode(coder, embeddings), fittedOn: 'here' };
    const paths = before.map(({ path: name }) => name);
    await writeFile(file, serializeIndex({ embeddings, dimension: DIMENSION, paths, modelChecksum: MODEL, codes }));
    const folder = path.join(root, 'folder');
    const writer = await IndexFolderWriter.create(folder, { modelChecksum: MODEL, dimension: DIMENSION, type: 'F32' });
    for (const { embedding, ...one } of before) await writer.add(one, embedding);
    await writer.finish();
    for (const place of [file, folder]) {
      await updateIndex(place, { modelChecksum: MODEL, added, removed: ['f', 'z'] });
      const index = await readIndex(place);
      assert.equal([...index.paths].sort(), [...expected.keys()].sort());
      if (place === folder) assert.equal(index.paths, [...expected.keys()].sort(), 'in the order of the paths');
      assert.equal(index.embeddings, vectorsOf(index.paths.map((name) => expected.get(name) as NewPicture)));
      if (place === file) assert.equal(index.codes?.rows, encode(coder, index.embeddings));
      const error = await updateIndex(place, { modelChecksum: 'b', added, removed: [] }).catch(
        (cause: unknown) => cause,
      );
      assert.instance(error, IndexModelMismatchError);
    }
  } finally {
    await rm(root, { recursive: true });
  }
});

test.run();
