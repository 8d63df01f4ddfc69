import { test } from 'uvu';
import * as assert from 'uvu/assert';
import sharp from 'sharp';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { embedFiles, findImages } from '../../src/cli/files/image-files.ts';
import { decodeSketch, ImageError } from '../../src/platform/node/images.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import type { RetrievalIndex } from '../../src/retrieval/index-file.ts';
import { meanEmbedding } from '../../src/retrieval/mean-embedding.ts';
import { pictureMask } from '../../src/retrieval/picture-filter.ts';
import { RequestError } from '../../src/server/picture-body.ts';
import { SearchService, type Neighbour, type SearchAnswer } from '../../src/server/search-service.ts';
import { modelEmbeddings, type ImageRows } from '../../src/models/image-rows.ts';
import { openRetrievalModel, type RetrievalModel } from '../../src/models/retrieval-model.ts';
import { testDevice } from '../support/device.ts';
import { PAGE_MODEL, readPageModel, writePictures } from '../support/page-model.ts';

let folder: string;
let model: RetrievalModel;
let index: RetrievalIndex;
let service: SearchService;
let pictures: Uint8Array[];

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-service-'));
  await writePictures(folder, 7);
  const file = await readPageModel();
  model = openRetrievalModel(await testDevice(), file, PAGE_MODEL);
  const rows = await modelEmbeddings(model);
  const { paths, embeddings } = await embedFiles(rows, await findImages(folder, 'the folder'), { strict: true });
  rows.destroy();
  const stamps = {
    sizes: Float64Array.from(paths, (_, row) => 100 * row),
    times: Float64Array.from(paths, (_, row) => Date.UTC(2020, row)),
  };
  index = { paths, embeddings, dimension: rows.width, modelChecksum: file.checksum, stamps };
  service = await SearchService.open(model, index);
  pictures = await Promise.all(paths.map((name) => readFile(name)));
});
test.after(async () => {
  await service.close();
  model.storage.destroy();
  await rm(folder, { recursive: true });
});

test('many at once get the answers that each gets alone', async () => {
  const alone: (readonly Neighbour[])[] = [];
  for (const picture of pictures) alone.push((await service.search(picture, 5)).neighbours);
  // So many that some must wait for the device, however fast they are decoded.
  const together = await Promise.all(
    [...pictures, ...pictures, ...pictures, ...pictures].map((picture) => service.search(picture, 5)),
  );
  together.forEach(({ neighbours, times }, query) => {
    assert.equal(
      neighbours.map(({ row }) => row),
      alone[query % pictures.length].map(({ row }) => row),
    );
    // The programs of one picture and of a batch may run other variants of a kernel, each within its error bound.
    neighbours.forEach(({ similarity }, place) =>
      assert.ok(Math.abs(similarity - alone[query % pictures.length][place].similarity) < 1e-5),
    );
    for (const time of Object.values(times)) assert.ok(time >= 0 && Number.isFinite(time));
  });
  assert.ok(
    new Set(together.map(({ times }) => times.embed)).size < together.length,
    'some were embedded in one batch',
  );
});

/** The embedding of a picture as a sketch of this model. */
const embeddingOf = (rows: ImageRows, picture: Uint8Array): Promise<Float32Array> =>
  rows.compute([{ domain: 'sketch', className: '', name: '' }], {
    read: () => decodeSketch(picture, model.imageSize, model.sketches),
  });

test('an answer is the ranking of the index by the picture: each finds itself, with its path and folder', async () => {
  const rows = await modelEmbeddings(model, 1);
  for (const [row, picture] of pictures.entries()) {
    const { neighbours } = await service.search(picture, 5);
    assert.is(neighbours.length, 5);
    const embedding = await embeddingOf(rows, picture);
    const expected = rankGallery(embedding, index.embeddings, index.dimension, 5);
    assert.equal(
      neighbours.map(({ rank, row, similarity }) => ({ rank, row, similarity })),
      expected.map(({ index: row, score }, place) => ({ rank: place + 1, row, similarity: score })),
    );
    assert.is(neighbours[0].row, row);
    assert.is(neighbours[0].path, index.paths[row]);
    assert.is(neighbours[0].label, path.basename(path.dirname(index.paths[row])));
  }
  rows.destroy();
});

test('several sketches search by their mean, and a sketch by its ink, wherever it is on its sheet', async () => {
  assert.is(model.sketches, 'fitted');
  const rows = await modelEmbeddings(model, 1);
  const [a, b] = [await embeddingOf(rows, pictures[0]), await embeddingOf(rows, pictures[3])];
  const expected = rankGallery(
    meanEmbedding(Float32Array.from([...a, ...b, ...a]), rows.width),
    index.embeddings,
    rows.width,
    5,
  );
  const { neighbours } = await service.search([pictures[0], pictures[3], pictures[0]], 5);
  // In the service they are one batch, which may run other variants of kernels.
  assert.equal(
    neighbours.map(({ row }) => row),
    expected.map(({ index: row }) => row),
  );
  neighbours.forEach(({ similarity }, place) => assert.ok(Math.abs(similarity - expected[place].score) < 1e-5));
  rows.destroy();

  const sheets = [
    [100, 90, 20, 0],
    [5, 300, 400, 9],
  ].map(([top, bottom, left, right]) =>
    sharp(pictures[0])
      .flatten({ background: '#ffffff' })
      .extend({ top, bottom, left, right, background: '#ffffff' })
      .png()
      .toBuffer(),
  );
  const [first, second] = await Promise.all(
    sheets.map(async (sheet) => (await service.search(await sheet, 5)).neighbours),
  );
  first.forEach(({ row, similarity }, place) => {
    assert.is(row, second[place].row);
    assert.ok(Math.abs(similarity - second[place].similarity) < 1e-5);
  });
});

test('pages of a filtered search are the pieces of the full ranking, filtered', async () => {
  const full = (await service.search(pictures[0], 1000)).neighbours;
  assert.is(full.length, pictures.length);
  const [label] = full.slice(5).map((neighbour) => neighbour.label);
  const cases: [words: string, passes: (row: number) => boolean][] = [
    ['', () => true],
    [`label=${encodeURIComponent(label)}`, (row) => path.basename(path.dirname(index.paths[row])) === label],
    [
      `folder=${encodeURIComponent(path.dirname(index.paths[3]))}&folder=${encodeURIComponent(path.dirname(index.paths[9]))}/`,
      (row) => [3, 9].some((other) => path.dirname(index.paths[other]) === path.dirname(index.paths[row])),
    ],
    ['after=2020-03-01&before=2020-11-01T00:00:00Z', (row) => row >= 2 && row < 10],
    ['min-size=300&max-size=1000', (row) => row >= 3 && row <= 10],
    ['min-size=300&before=2020-03-01', () => false],
  ];
  const searches = cases.flatMap(([words, passes]) =>
    [0, 2, 4, 20].map(async (offset) => {
      const passing = full.filter(({ row }) => passes(row));
      const { neighbours, more } = await service.search(
        pictures[0],
        3,
        undefined,
        new URLSearchParams(`${words}&offset=${offset}`),
      );
      assert.equal(
        neighbours.map(({ rank, row }) => ({ rank, row })),
        passing.map(({ row }, place) => ({ rank: place + 1, row })).slice(offset, offset + 3),
        `${words} from ${offset}`,
      );
      assert.is(more, passing.length > offset + 3);
    }),
  );
  await Promise.all(searches);
});

test('rows search alone and together with a sketch, by the mean, and are not found themselves', async () => {
  const { dimension, embeddings } = index;
  const rowOf = (row: number): Float32Array => embeddings.slice(row * dimension, (row + 1) * dimension);
  const like = (sketches: Uint8Array[], words: string): Promise<SearchAnswer> =>
    service.search(sketches, 4, undefined, new URLSearchParams(words));
  const alone = await like([], 'like=5&offset=1');
  assert.equal(
    alone.neighbours.map(({ row, similarity }) => ({ index: row, score: similarity })),
    rankGallery(rowOf(5), embeddings, dimension, 14)
      .filter(({ index: row }) => row !== 5)
      .slice(1, 5),
  );
  assert.equal([alone.times.wait, alone.times.embed], [0, 0]);
  const rows = await modelEmbeddings(model, 1);
  const sketch = await embeddingOf(rows, pictures[2]);
  rows.destroy();
  const together = await like([pictures[2]], 'like=7&like=9');
  assert.equal(
    together.neighbours.map(({ row, similarity }) => ({ index: row, score: similarity })),
    rankGallery(
      meanEmbedding(Float32Array.from([...sketch, ...rowOf(7), ...rowOf(9)]), dimension),
      embeddings,
      dimension,
      14,
    )
      .filter(({ index: row }) => row !== 7 && row !== 9)
      .slice(0, 4),
  );
});

test('a filter that names nothing, and an offset that is none, are refused with the reason', async () => {
  for (const [words, message] of [
    ['label=absent', /no picture with the label "absent"/],
    ['folder=absent', /no picture in the folder "absent"/],
    ['after=yesterday', /after must be a date such as 2026-01-31/],
    ['before=2026-13-01', /before must be a date/],
    ['min-size=1K', /min-size must be a whole number of bytes/],
    ['like=14', /like must be a row of the index, from 0 to 13, and is "14"/],
    [
      Array.from({ length: 8 }, (_, row) => `like=${row}`).join('&'),
      /1 to 8 sketches and rows search together, and there are 9/,
    ],
    ['offset=-1', /offset must be a whole number from 0 to 9997/],
    ['offset=9998', /offset must be/],
  ] as const) {
    const error = await service
      .search(pictures[0], 3, undefined, new URLSearchParams(words))
      .catch((cause: unknown) => cause);
    assert.ok(error instanceof RequestError && error.status === 400, words);
    assert.match((error as Error).message, message);
  }
  assert.throws(() => pictureMask({ paths: index.paths }, { minSize: 1 }), /does not store the dates and sizes/);
});

test('fewer neighbours where the index has fewer; a picture that cannot be decoded harms no other', async () => {
  const [many, broken] = await Promise.allSettled([
    service.search(pictures[0], 1000),
    service.search(pictures[1].subarray(0, 90), 3),
  ]);
  assert.is(many.status === 'fulfilled' && many.value.neighbours.length, index.paths.length);
  assert.ok(broken.status === 'rejected' && broken.reason instanceof ImageError);
});

test.run();
