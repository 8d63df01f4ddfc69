import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EPSILON, sumError } from '../../kernels/kernel.ts';
import { RandomStream } from '../../src/random/philox.ts';
import { cosineRows, type Embeddings } from '../../src/retrieval/cosine.ts';
import { deviceCosineRows, type DeviceCosineOptions } from '../../src/retrieval/device-cosine.ts';
import { evaluateRetrieval, evaluateRetrievalOnDevice } from '../../src/retrieval/evaluate.ts';
import { RetrievalMeter } from '../../src/retrieval/metrics.ts';
import { testDevice } from '../support/device.ts';

const random = new RandomStream(5, 0);
const normal = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());

/**
 * Sizes that fill no block; the gallery's first item once more in the middle, in another part, and at the end; a zero.
 */
function task(queries: number, items: number, dimension: number): Embeddings {
  const gallery = normal(items * dimension);
  for (const copy of [63, 64, items - 1]) gallery.copyWithin(copy * dimension, 0, dimension);
  gallery.fill(0, dimension, 2 * dimension);
  return { queries: normal(queries * dimension), gallery, dimension };
}

async function rowsOf(embeddings: Embeddings, options?: DeviceCosineOptions): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for await (const row of deviceCosineRows(await testDevice(), embeddings, options)) rows.push(row.slice());
  return rows;
}

test('cosines agree with float64, within the error of their sums', async () => {
  for (const dimension of [1, 37, 64, 300]) {
    const embeddings = task(19, 131, dimension);
    const rows = await rowsOf(embeddings);
    let query = 0;
    for (const expected of cosineRows(embeddings)) {
      const row = rows[query++];
      assert.is(row.length, 131);
      // Rows of length 1 make products whose magnitudes add up to 1 at most; three more roundings are of the two norms
      // and the host's.
      const bound = sumError(dimension, 1) + 3 * EPSILON;
      row.forEach((score, item) =>
        assert.ok(
          Math.abs(score - expected[item]) <= bound,
          `query ${query}, item ${item}: ${score} and not ${expected[item]}`,
        ),
      );
      for (const copy of [63, 64, 130]) assert.is(row[copy], row[0], 'equal items have equal scores');
      assert.is(Math.abs(row[1]), 0);
    }
    assert.is(query, rows.length);
  }
});

test('streamed and not: no cut of the queries, and none of the gallery, changes a bit', async () => {
  const embeddings = task(83, 200, 96);
  const later = { ...embeddings, queries: embeddings.queries.subarray(5 * 96, 60 * 96) };
  // A block of another size may take another kernel; within one size it is the same for all.
  for (const queryBlock of [undefined, 1, 16, 83]) {
    const whole = await rowsOf(embeddings, { queryBlock });
    for (const items of [64, 128])
      assert.equal(
        await rowsOf(embeddings, { queryBlock, partValues: items * 96 }),
        whole,
        `blocks of ${queryBlock}, parts of ${items} items`,
      );
    assert.equal(
      await rowsOf(later, { queryBlock }),
      whole.slice(5, 60),
      `blocks of ${queryBlock}, from the sixth query on`,
    );
  }
});

test('metrics on the device are those of the same scores, and nearly those of the host', async () => {
  const embeddings = task(60, 400, 48);
  const labels = {
    queryLabels: Uint32Array.from({ length: 60 }, (_, i) => i % 7),
    galleryLabels: Uint32Array.from({ length: 400 }, (_, i) => i % 9),
    excluded: Int32Array.from({ length: 60 }, (_, i) => i - 20).map((i) => Math.max(i, -1)),
  };
  const options = { ...embeddings, ...labels, cutoffs: [1, 50, 500] };
  const metrics = await evaluateRetrievalOnDevice(await testDevice(), options, { queryBlock: 16 });
  const meter = new RetrievalMeter(labels, options);
  for (const row of await rowsOf(embeddings)) meter.add(row);
  assert.equal(metrics, meter.metrics());
  const host = evaluateRetrieval(options);
  assert.equal(
    [metrics.queries, metrics.skippedQueries, metrics.gallerySize],
    [host.queries, host.skippedQueries, host.gallerySize],
  );
  // Scores that differ in their last bits can exchange neighbours, which moves a metric by less than this.
  assert.ok(Math.abs(metrics.mapAll - host.mapAll) < 1e-3);
});

test('what the host refuses, the device refuses', async () => {
  const device = await testDevice();
  const refused = async (gallery: Float32Array, message: RegExp): Promise<void> => {
    try {
      await evaluateRetrievalOnDevice(device, {
        queries: new Float32Array([1, 0]),
        gallery,
        dimension: 2,
        queryLabels: [0],
        galleryLabels: [0, 1],
      });
    } catch (error) {
      return assert.match((error as Error).message, message);
    }
    assert.unreachable();
  };
  await refused(new Float32Array([1, 0, NaN, 1]), /gallery embedding 1 has a value that is not finite/);
  await refused(new Float32Array(0), /2 gallery labels/);
  assert.equal(
    await rowsOf({ queries: new Float32Array(6), gallery: new Float32Array(0), dimension: 2 }),
    [0, 1, 2].map(() => new Float32Array(0)),
  );
  await refused(new Float32Array([1, 0, 0, 1, 1]), /5 values, which is no multiple of the dimension 2/);
});

test.run();
