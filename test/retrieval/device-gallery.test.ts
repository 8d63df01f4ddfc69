import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EPSILON, sumError } from '../../kernels/kernel.ts';
import { ShapeError } from '../../src/autodiff/tensor.ts';
import { DeviceGallery } from '../../src/retrieval/device-gallery.ts';
import { cosineRows } from '../../src/retrieval/cosine.ts';
import { evaluateRetrieval } from '../../src/retrieval/evaluate.ts';
import { evaluateTopOnDevice } from '../../src/retrieval/top-metrics.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';

const DIMENSION = 20;
const uniform = uniformNumbers(11);
const rows = (count: number): Float32Array => Float32Array.from({ length: count * DIMENSION }, uniform);
const gallery = rows(150);
// The first item twice more, and a row of zeros.
for (const copy of [70, 149]) gallery.copyWithin(copy * DIMENSION, 0, DIMENSION);
gallery.fill(0, DIMENSION, 2 * DIMENSION);
const queries = rows(23);
queries.set(gallery.subarray(0, DIMENSION));

test('finds the nearest items by float64 cosines, equal ones by place, in blocks of any size', async () => {
  const device = await testDevice();
  const whole = await DeviceGallery.open(device, gallery, DIMENSION);
  const found = await whole.search(queries);
  whole.destroy();
  assert.equal([...found.indices.subarray(0, 3)], [0, 70, 149]);
  const bound = sumError(DIMENSION, 1) + 3 * EPSILON;
  let query = 0;
  for (const cosines of cosineRows({ queries, gallery, dimension: DIMENSION })) {
    const sorted = [...cosines].sort((a, b) => b - a);
    for (let rank = 0; rank < 10; rank++) {
      const at = 10 * query + rank;
      assert.ok(Math.abs(found.scores[at] - sorted[rank]) <= bound);
      assert.ok(Math.abs(found.scores[at] - cosines[found.indices[at]]) <= bound);
    }
    query++;
  }
  const blocks = await DeviceGallery.open(device, gallery, DIMENSION, { queryBlock: 5 });
  assert.equal(await blocks.search(queries), found, 'the same bits');
  assert.equal(await blocks.search(new Float32Array(0)), { scores: new Float32Array(0), indices: new Uint32Array(0) });
  blocks.destroy();
});

test('metrics at cutoffs are those of full rankings', async () => {
  const labels = {
    queryLabels: Uint32Array.from({ length: 23 }, (_, i) => i % 6),
    galleryLabels: Uint32Array.from({ length: 150 }, (_, i) => (i * i) % 5),
  };
  for (const excluded of [undefined, Int32Array.from({ length: 23 }, (_, i) => i - 3).map((i) => Math.max(i, -1))]) {
    for (const apDenominator of ['protocol', 'hits', 'relevant'] as const) {
      const task = { queries, gallery, dimension: DIMENSION, ...labels, excluded, cutoffs: [1, 7, 10], apDenominator };
      const top = await evaluateTopOnDevice(await testDevice(), task);
      const full = evaluateRetrieval(task);
      assert.is(top.protocol, full.protocol);
      assert.equal(
        [top.queries, top.skippedQueries, top.gallerySize],
        [full.queries, full.skippedQueries, full.gallerySize],
      );
      top.atCutoff.forEach(({ k, map, precision, hit }, i) => {
        assert.is(k, full.atCutoff[i].k);
        assert.ok(Math.abs(map - full.atCutoff[i].map) < 1e-12, `mAP@${k}: ${map}, ${full.atCutoff[i].map}`);
        assert.ok(Math.abs(precision - full.atCutoff[i].precision) < 1e-12);
        assert.ok(hit >= precision && hit <= Math.min(1, k * precision + 1e-12));
        if (k === 1) assert.is(hit, precision);
      });
    }
  }
});

test('what cannot be searched is refused', async () => {
  const device = await testDevice();
  const refused = async (
    promise: Promise<unknown>,
    kind: abstract new (...parameters: never) => Error,
    message: RegExp,
  ): Promise<void> => {
    const error = await promise.catch((cause: unknown) => cause);
    assert.instance(error, kind);
    assert.match((error as Error).message, message);
  };
  await refused(DeviceGallery.open(device, new Float32Array(0), 4), RetrievalError, /no rows/);
  await refused(DeviceGallery.open(device, Float32Array.of(1, NaN), 2), RetrievalError, /gallery embedding 0/);
  await refused(DeviceGallery.open(device, Float32Array.of(1, 0), 2, { k: 65 }), ShapeError, /at most 64/);
  const task = { queries, gallery, dimension: DIMENSION, queryLabels: [0], galleryLabels: new Uint32Array(150) };
  await refused(evaluateTopOnDevice(device, task), RetrievalError, /23 query embeddings and 1 query labels/);
});

test.run();
