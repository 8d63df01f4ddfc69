import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { evaluateRetrieval, rankGallery } from '../../src/retrieval/evaluate.ts';
import {
  averagePrecision,
  describeProtocol,
  RetrievalMeter,
  type ApDenominator,
  type ApEnvelope,
} from '../../src/retrieval/metrics.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';

/** One query of class 1 and a gallery that is ranked as given: relevance 1 or 0, best first. */
function rankedAs(relevance: readonly number[]): Parameters<typeof evaluateRetrieval>[0] {
  const gallery = new Float32Array(relevance.length * 2);
  relevance.forEach((_, rank) => gallery.set([1, rank], rank * 2));
  return { queries: new Float32Array([1, 0]), queryLabels: [1], gallery, galleryLabels: relevance, dimension: 2 };
}

const near = (actual: number, expected: number, what: string, tolerance = 1e-12): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual} and not ${expected}`);

test("the protocol's test vector", () => {
  const metrics = evaluateRetrieval({ ...rankedAs([1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1]), cutoffs: [6, 1, 100] });
  near(metrics.mapAll, 0.697619, 'AP@all', 5e-7);
  const [six, one, hundred] = metrics.atCutoff;
  near(six.map, 0.5, 'AP@6');
  near(six.precision, 0.5, 'P@6');
  assert.equal(one, { k: 1, map: 1, precision: 1 });
  assert.is(hundred.map, metrics.mapAll, 'a cutoff beyond the gallery is no cutoff');
  near(hundred.precision, 5 / 12, 'P@100 of a gallery of 12');
});

test("dividing by the hits instead: 2.5 / 3 at the test vector's k = 6", () => {
  const metrics = evaluateRetrieval({
    ...rankedAs([1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1]),
    cutoffs: [6],
    apDenominator: 'hits',
  });
  near(metrics.atCutoff[0].map, 2.5 / 3, 'AP@6');
  near(metrics.mapAll, 0.697619, 'AP@all has all hits', 5e-7);
  assert.is(metrics.apDenominator, 'hits');
  assert.is(
    evaluateRetrieval({ ...rankedAs([0, 0, 1]), cutoffs: [2], apDenominator: 'hits' }).atCutoff[0].map,
    0,
    'no hit, no division by zero',
  );
});

test('without the envelope, and divided by all relevant items', () => {
  const input = rankedAs([1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1]);
  const metrics = evaluateRetrieval({ ...input, cutoffs: [6], apEnvelope: 'none' });
  near(metrics.mapAll, 0.680952, 'AP@all', 5e-7);
  near(metrics.atCutoff[0].map, (1 + 2 / 3 + 3 / 4) / 5, 'AP@6');
  near(
    evaluateRetrieval({ ...input, cutoffs: [3], apDenominator: 'relevant' }).atCutoff[0].map,
    (1 + 2 / 3) / 5,
    'AP@3 of 5 relevant items',
  );
  near(
    evaluateRetrieval({ ...input, cutoffs: [3], apDenominator: 'protocol' }).atCutoff[0].map,
    (1 + 2 / 3) / 3,
    'AP@3',
  );
});

test('the record names its protocol', () => {
  assert.match(evaluateRetrieval(rankedAs([1])).protocol, /^SAKE's: .*VOC envelope.*min\(k, relevant photos\)/);
  assert.match(describeProtocol({ apDenominator: 'hits' }), /^not SAKE's: .*hits among the first k \(not comparable/);
  assert.match(describeProtocol({ apDenominator: 'relevant' }), /^not SAKE's: .*all relevant photos/);
  assert.match(describeProtocol({ apEnvelope: 'none' }), /^not SAKE's: .*without envelope/);
});

test('the envelope takes the best precision at this or any later rank', () => {
  assert.is(averagePrecision([2, 3], 3, 2), 2 / 3);
  assert.is(averagePrecision([2, 3], 2, 2), 1 / 4, 'beyond the last rank it does not look');
  assert.is(averagePrecision([], 5, 0), 0);
});

/** The protocol once more, as plainly as possible: the full matrix, a full sort, every rank's precision. */
function bruteForce(
  input: Parameters<typeof evaluateRetrieval>[0],
  k: number,
  apDenominator: ApDenominator,
  apEnvelope: ApEnvelope,
): { ap: number; apAtK: number; precision: number; label: number }[] {
  const { queries, queryLabels, gallery, galleryLabels, dimension, excluded } = input;
  const row = (rows: Float32Array, i: number): number[] => [...rows.subarray(i * dimension, (i + 1) * dimension)];
  const norm = (values: number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) || 1;
  const results = [];
  for (let q = 0; q < queryLabels.length; q++) {
    const query = row(queries, q);
    const scores = Array.from({ length: galleryLabels.length }, (_, i) => {
      const item = row(gallery, i);
      return Math.fround(item.reduce((sum, value, j) => sum + value * query[j], 0) / norm(item) / norm(query));
    });
    const order = scores
      .map((_, i) => i)
      .filter((i) => i !== excluded?.[q])
      .sort((a, b) => scores[b] - scores[a] || a - b);
    const n = order.length;
    const relevance = order.map((i) => (galleryLabels[i] === queryLabels[q] ? 1 : 0));
    const total = relevance.filter(Boolean).length;
    if (total === 0) continue;
    const precisionAt = (rank: number): number => relevance.slice(0, rank).filter(Boolean).length / rank;
    const ap = (last: number, denominator: number): number => {
      let sum = 0;
      for (let r = 1; r <= last; r++) {
        if (relevance[r - 1])
          sum +=
            apEnvelope === 'none'
              ? precisionAt(r)
              : Math.max(...Array.from({ length: last - r + 1 }, (_, i) => precisionAt(r + i)));
      }
      return denominator === 0 ? 0 : sum / denominator;
    };
    const last = Math.min(k, n);
    const hits = relevance.slice(0, last).filter(Boolean).length;
    const denominator = { protocol: Math.min(k, total), hits, relevant: total }[apDenominator];
    results.push({ ap: ap(n, total), apAtK: ap(last, denominator), precision: hits / last, label: queryLabels[q] });
  }
  return results;
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('agrees with plain brute force: ties, zero vectors, P < k, P = 0, k > n, ragged blocks, items left out', () => {
  // Small integers have exact products and sums, so that many cosines are equal, and equal in any order of summation.
  const vectors = (dimension: number, count: number): fc.Arbitrary<Float32Array> =>
    fc
      .array(fc.integer({ min: -1, max: 2 }), { minLength: dimension * count, maxLength: dimension * count })
      .map((values) => Float32Array.from(values));
  const labels = (count: number): fc.Arbitrary<number[]> =>
    fc.array(fc.integer({ min: 0, max: 3 }), { minLength: count, maxLength: count });
  const cases = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 20 }))
    .chain(([dimension, queries, n]) =>
      fc.record({
        dimension: fc.constant(dimension),
        queries: vectors(dimension, queries),
        queryLabels: labels(queries),
        gallery: vectors(dimension, n),
        galleryLabels: labels(n),
        excluded: fc.option(fc.array(fc.integer({ min: -1, max: n - 1 }), { minLength: queries, maxLength: queries }), {
          nil: undefined,
        }),
        apDenominator: fc.constantFrom<ApDenominator>('protocol', 'hits', 'relevant'),
        apEnvelope: fc.constantFrom<ApEnvelope>('voc', 'none'),
        k: fc.integer({ min: 1, max: 25 }),
      }),
    );
  let skipped = 0;
  fc.assert(
    fc.property(cases, ({ k, ...input }) => {
      const expected = bruteForce(input, k, input.apDenominator, input.apEnvelope);
      if (expected.length === 0) {
        assert.throws(
          () => evaluateRetrieval(input),
          (error: Error) => error instanceof RetrievalError && /none of the/.test(error.message),
        );
        return;
      }
      const metrics = evaluateRetrieval({ ...input, cutoffs: [k] });
      assert.is(metrics.queries, expected.length);
      assert.is(metrics.skippedQueries, input.queryLabels.length - expected.length);
      skipped += metrics.skippedQueries;
      near(metrics.mapAll, mean(expected.map(({ ap }) => ap)), 'mAP@all');
      near(metrics.atCutoff[0].map, mean(expected.map(({ apAtK }) => apAtK)), 'mAP@k');
      near(metrics.atCutoff[0].precision, mean(expected.map(({ precision }) => precision)), 'P@k');
      for (const { label, queries, mapAll, atCutoff } of metrics.perClass) {
        const ofClass = expected.filter((result) => result.label === label);
        assert.is(queries, ofClass.length);
        near(mapAll, mean(ofClass.map(({ ap }) => ap)), 'mAP@all of a class');
        near(atCutoff[0].precision, mean(ofClass.map(({ precision }) => precision)), 'P@k of a class');
      }
      near(metrics.classMean.mapAll, mean(metrics.perClass.map(({ mapAll }) => mapAll)), 'mean of the classes');
    }),
    { numRuns: 500 },
  );
  assert.ok(skipped > 0, 'no case had a query to skip');
});

test('AP@200 is at most P@200 wherever 200 items are relevant', () => {
  const relevance = fc
    .array(fc.integer({ min: 0, max: 2 }), { minLength: 250, maxLength: 500 })
    .map((values) => [...values.map((value) => (value === 0 ? 1 : 0)), ...new Array<number>(200).fill(1)]);
  fc.assert(
    fc.property(relevance, (values) => {
      const [{ map, precision }] = evaluateRetrieval({ ...rankedAs(values), cutoffs: [200] }).atCutoff;
      assert.ok(map <= precision + 1e-12, `${map} > ${precision}`);
    }),
    { numRuns: 50 },
  );
});

test('photo to photo: nobody finds itself, and who is alone in its class is skipped', () => {
  const photos = new Float32Array([1, 0, 0.9, 0.1, 0, 1, -1, 0]);
  const labels = [5, 5, 6, 5];
  const { queries, skippedQueries, atCutoff, gallerySize } = evaluateRetrieval({
    queries: photos,
    gallery: photos,
    queryLabels: labels,
    galleryLabels: labels,
    excluded: [0, 1, 2, 3],
    dimension: 2,
    cutoffs: [1, 10],
  });
  assert.equal([queries, skippedQueries, gallerySize], [3, 1, 4]);
  near(atCutoff[0].precision, 2 / 3, 'P@1: the last finds the one of class 6 first');
  near(atCutoff[1].precision, 2 / 3, 'P@10 of the three that are left');
});

test('an excluded item must be one of the gallery, or -1', () => {
  for (const item of [2, -2, 0.5, NaN, Infinity])
    assert.throws(
      () => new RetrievalMeter({ queryLabels: [0, 0], galleryLabels: [0, 1], excluded: [-1, item] }),
      /excluded\[1\] is .* -1 or the place of one of the 2 items/,
    );
});

test('rows of scores are as many as queries, and a score is a number', () => {
  const meter = new RetrievalMeter({ queryLabels: [0, 0], galleryLabels: [0, 1] });
  meter.add(new Float32Array([1, 0]));
  assert.throws(() => meter.metrics(), /there are 1 rows of scores and 2 query labels/);
  assert.throws(() => meter.add(new Float32Array([1, NaN])), /the score of item 1 is not a number/);
  assert.throws(
    () => new RetrievalMeter({ queryLabels: [0], galleryLabels: [0, 1] }).add(new Float32Array([NaN, 1])),
    /the score of item 0 is not a number/,
  );
});

test('rankGallery: the best k, ties by gallery index, cosines whatever the lengths', () => {
  const gallery = new Float32Array([0, 5, 1, 1, 3, 0, 0.1, 0, 0, 0]);
  const ranked = rankGallery(new Float32Array([2, 0]), gallery, 2, 4);
  assert.equal(
    ranked.map(({ index }) => index),
    [2, 3, 1, 0],
  );
  assert.is(ranked[0].score, 1, 'parallel');
  assert.is(ranked[2].score, Math.fround(Math.SQRT1_2), '45 degrees');
  assert.equal(
    rankGallery(new Float32Array([2, 0]), gallery, 2, 100).map(({ index }) => index),
    [2, 3, 1, 0, 4],
  );
  assert.equal(
    rankGallery(new Float32Array([0, 0]), gallery, 2, 3).map(({ index }) => index),
    [0, 1, 2],
  );
});

test('input that cannot be ranked is refused', () => {
  const input = rankedAs([1, 0]);
  const refused = (changes: Partial<typeof input>, message: RegExp): void =>
    assert.throws(
      () => evaluateRetrieval({ ...input, ...changes }),
      (error: Error) => error instanceof RetrievalError && message.test(error.message),
    );
  refused({ gallery: new Float32Array([1, 0, 1, NaN]) }, /gallery embedding 1 has a value that is not finite/);
  refused({ queries: new Float32Array([Infinity, 0]) }, /query embedding 0/);
  refused({ queries: new Float32Array(3) }, /3 values, which is no multiple of the dimension 2/);
  refused({ galleryLabels: [1] }, /2 gallery embeddings and 1 gallery labels/);
  refused({ cutoffs: [0] }, /a cutoff must be an integer above 0/);
  refused({ dimension: 0 }, /the dimension must be an integer above 0/);
  refused({ queryLabels: [7] }, /none of the 1 queries/);
  assert.throws(
    () => rankGallery(new Float32Array(4), new Float32Array(4), 2, 1),
    /one query of 2 values is needed, there are 4/,
  );
});

test.run();
