import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { embedFiles, findImages } from '../../src/cli/image-files.ts';
import { decodeImage, ImageError } from '../../src/platform/node/images.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import type { RetrievalIndex } from '../../src/retrieval/index-file.ts';
import { SearchService, type Neighbour } from '../../src/server/search-service.ts';
import { modelEmbeddings, openRetrievalModel, type RetrievalModel } from '../../src/training/model.ts';
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
  index = { paths, embeddings, dimension: rows.width, modelChecksum: file.checksum };
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
  const together = await Promise.all([...pictures, ...pictures, ...pictures, ...pictures].map((picture) => service.search(picture, 5)));
  together.forEach(({ neighbours, times }, query) => {
    assert.equal(neighbours.map(({ row }) => row), alone[query % pictures.length].map(({ row }) => row));
    // The programs of one picture and of a batch may run other variants of a kernel, each within its error bound.
    neighbours.forEach(({ similarity }, place) => assert.ok(Math.abs(similarity - alone[query % pictures.length][place].similarity) < 1e-5));
    for (const time of Object.values(times)) assert.ok(time >= 0 && Number.isFinite(time));
  });
  assert.ok(new Set(together.map(({ times }) => times.embed)).size < together.length, 'some were embedded in one batch');
});

test('an answer is the ranking of the index by the picture: each finds itself, with its path and folder', async () => {
  const rows = await modelEmbeddings(model, 1);
  for (const [row, picture] of pictures.entries()) {
    const { neighbours } = await service.search(picture, 5);
    assert.is(neighbours.length, 5);
    const embedding = await rows.compute([{ domain: 'sketch', className: '', name: '' }], { read: () => decodeImage(picture, model.imageSize) });
    const expected = rankGallery(embedding, index.embeddings, index.dimension, 5);
    assert.equal(neighbours.map(({ rank, row, similarity }) => ({ rank, row, similarity })), expected.map(({ index: row, score }, place) => ({ rank: place + 1, row, similarity: score })));
    assert.is(neighbours[0].row, row);
    assert.is(neighbours[0].path, index.paths[row]);
    assert.is(neighbours[0].label, path.basename(path.dirname(index.paths[row])));
  }
  rows.destroy();
});

test('fewer neighbours where the index has fewer; a picture that cannot be decoded harms no other', async () => {
  const [many, broken] = await Promise.allSettled([service.search(pictures[0], 1000), service.search(pictures[1].subarray(0, 90), 3)]);
  assert.is(many.status === 'fulfilled' && many.value.neighbours.length, index.paths.length);
  assert.ok(broken.status === 'rejected' && broken.reason instanceof ImageError);
});

test.run();
