import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { worstDeviation } from '../../src/tuning/comparison.ts';

const compare = (actual: number[], value: number[], error: number[]): { element: number; ratio: number } =>
  worstDeviation(Float32Array.from(actual), { value, error });

test('the worst element is told in units of its own bound', () => {
  assert.equal(compare([1, 2, 3], [1, 2, 3], [0, 0, 0]), { element: 0, ratio: 0 });
  assert.equal(compare([1, 2.5, 3.25], [1, 2, 3], [1, 2, 0.5]), { element: 2, ratio: 0.5 });
  assert.is(compare([1.5], [1], [0]).ratio, Infinity);
});

test('what is no number passes for none, and no number for it', () => {
  for (const [actual, value] of [
    [NaN, 1],
    [1, NaN],
    [Infinity, 1],
    [-Infinity, Infinity],
    [NaN, Infinity],
  ])
    assert.is(compare([actual], [value], [1e9]).ratio, Infinity, `${actual} for ${value}`);
  for (const same of [NaN, Infinity, -Infinity]) assert.is(compare([same], [same], [0]).ratio, 0);
  assert.is(compare([2], [1], [NaN]).ratio, Infinity, 'a bound that is no number allows nothing');
});

test('a missing element is a wrong one', () => {
  assert.equal(worstDeviation([1], { value: [1, 0], error: [1, 1] }), { element: 1, ratio: Infinity });
});

test.run();
