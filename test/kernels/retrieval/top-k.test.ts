import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NO_ITEM, topK, type TopKProblem } from '../../../kernels/retrieval/top-k.ts';
import type { Values } from '../../../kernels/kernel.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin, uniformNumbers } from '../../support/kernel-test.ts';

test('top_k: scores of any numbers are within their bound, and so are those of the selected items', async () => {
  const device = await testDevice();
  const problem: TopKProblem = { queries: 9, items: 1100, dimension: 100, k: 10 };
  const uniform = uniformNumbers(3);
  const inputs = {
    queries: Float64Array.from({ length: 9 * 100 }, uniform),
    // Items that are nearly equal, and some that are equal.
    gallery: Float64Array.from({ length: 1100 * 100 }, (_, i) => Math.fround(Math.sin(i % 100) + 1e-4 * uniform())),
  };
  inputs.gallery.copyWithin(1099 * 100, 500 * 100, 501 * 100);
  const all = topK.reference({ ...problem, k: 1100 }, inputs);
  const { scores, indices } = topK.reference(problem, inputs);
  assert.ok(indices.error.some((error) => error === 0));
  for (const call of topK.calls(problem, device.traits)) {
    const actual = await runKernel(device, call, inputs);
    assertWithin(`${call.variant}: scores`, actual.scores, scores.value, scores.error);
    assertWithin(`${call.variant}: indices`, actual.indices, indices.value, indices.error);
    for (let query = 0; query < 9; query++) {
      const ranked = all.indices.value.subarray(1100 * query, 1100 * (query + 1));
      const found = actual.indices.subarray(10 * query, 10 * query + 10);
      assert.is(new Set(found).size, 10, 'no item is selected twice');
      found.forEach((item, rank) => {
        const at = 1100 * query + ranked.indexOf(item);
        const difference = Math.abs(actual.scores[10 * query + rank] - all.scores.value[at]);
        assert.ok(difference <= all.scores.error[at], `${call.variant}: item ${item} has another score`);
      });
    }
  }
});

test('top_k: NaN is never selected, infinities are in their order, 0 and -0 are equal', async () => {
  const device = await testDevice();
  // One value an item, and zeros beside it.
  const values = [NaN, 2, -Infinity, 0, Infinity, -0, NaN, 2, -3];
  const problem: TopKProblem = { queries: 1, items: values.length, dimension: 4, k: 10 };
  const inputs: Values = {
    queries: Float64Array.of(1, 0, 0, 0),
    gallery: Float64Array.from(values.flatMap((value) => [value, 0, 0, 0])),
  };
  const expected = topK.reference(problem, inputs);
  assert.equal([...expected.indices.value], [4, 1, 7, 3, 5, 8, 2, NO_ITEM, NO_ITEM, NO_ITEM]);
  for (const call of topK.calls(problem, device.traits)) {
    const { scores, indices } = await runKernel(device, call, inputs);
    assert.equal([...indices], [...expected.indices.value], call.variant);
    assertWithin(call.variant, scores, expected.scores.value, expected.scores.error);
  }
});

test('top_k: a k above the largest has no variant', async () => {
  const { traits } = await testDevice();
  assert.equal(topK.calls({ queries: 1, items: 100, dimension: 4, k: 65 }, traits), []);
});

test.run();
