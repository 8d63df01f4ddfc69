import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { classifierOf, classKnowledge, retrievalStateFrom } from '../../src/training/knowledge.ts';
import {
  KnowledgeError,
  knowledgeOf,
  parseKnowledge,
  parsePartialKnowledge,
  serializeKnowledge,
  serializePartialKnowledge,
  type Knowledge,
} from '../../src/training/knowledge-file.ts';
import type { StateTensor } from '../../src/nn/state.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

const near = (actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-7): void => {
  assert.is(actual.length, expected.length);
  expected.forEach((value, i) =>
    assert.ok(Math.abs(actual[i] - value) <= tolerance, `[${i}] is ${actual[i]}, expected ${value}`),
  );
};

test('the mean of softmax outputs and the softmax of mean logits, worked out by hand', () => {
  // Photos of class 1, of class 0, and again of class 1; exp(log n) makes softmax outputs fractions.
  const logits = Float32Array.from([1, 3, 9, 1, 3, 3].map(Math.log));
  const labels = Uint32Array.of(1, 0, 1);
  near(classKnowledge(logits, labels, 2), [0.9, 0.1, (1 / 4 + 1 / 2) / 2, (3 / 4 + 1 / 2) / 2]);
  near(classKnowledge(logits, labels, 2, { mean: 'logits', temperature: 1 }), [
    0.9,
    0.1,
    Math.sqrt(3) / (Math.sqrt(3) + 3),
    3 / (Math.sqrt(3) + 3),
  ]);
  // At temperature 2 the roots of the odds count.
  near(classKnowledge(logits, labels, 2, { mean: 'softmax', temperature: 2 }), [
    3 / 4,
    1 / 4,
    (1 / (1 + Math.sqrt(3)) + 1 / 2) / 2,
    (Math.sqrt(3) / (1 + Math.sqrt(3)) + 1 / 2) / 2,
  ]);
  assert.throws(() => classKnowledge(logits, labels, 3), /class 2 has no photo/);
});

test('logits of any size give distributions', () => {
  near(classKnowledge(Float32Array.of(3e38, -3e38, 1e30, 1e30), Uint32Array.of(0, 1), 2), [1, 0, 0.5, 0.5]);
});

const origin: Knowledge['origin'] = {
  teacher: 'abc',
  reading: { mean: 'softmax', temperature: 1 },
  photosPerClass: 0,
  seed: 0,
  imageSize: 32,
  pixels: { mean: [0.5, 0.25, 0.125], deviation: [1, 1, 0.5] },
  network: { width: 1, stride: 'v1', batchNormEpsilon: 1e-5, batchNormMomentum: 0.1 },
  batchSize: 8,
  photos: 'def',
};
const knowledge: Knowledge = {
  classes: ['cat', 'dog house', '__proto__'],
  table: { shape: [3, 2], values: Float32Array.of(0.25, 0.75, 1, 0, 0.5, 0.5) },
  counts: Uint32Array.of(3, 1, 2),
  origin,
};

test('knowledge comes back from its file as it was', () => {
  const bytes = serializeKnowledge(knowledge);
  // As Node reads files: a Buffer, which lies somewhere in a larger one.
  for (const read of [bytes, Buffer.concat([Buffer.alloc(3), bytes]).subarray(3)])
    assert.equal(parseKnowledge(read, 'file'), knowledge);
  const partial = {
    classes: knowledge.classes,
    origin,
    photosDone: 4,
    sums: Float64Array.of(0.1, 1 / 3, 1e-300, 0, 2, Math.PI),
    counts: Uint32Array.of(2, 1, 1),
    variants: { 'add {}': 'vec4f' },
  };
  assert.equal(parsePartialKnowledge(serializePartialKnowledge(partial), 'file'), partial);
});

test('rows are taken by name, and what does not fit is said', () => {
  near(knowledgeOf(['dog house', 'cat'], knowledge, 'k.safetensors', 'abc').values, [1, 0, 0.25, 0.75]);
  assert.throws(
    () => knowledgeOf(['cat', 'bird'], knowledge, 'k.safetensors'),
    (error: Error) => error instanceof KnowledgeError && /k.safetensors knows nothing of bird/.test(error.message),
  );
  assert.throws(
    () => knowledgeOf(['cat'], knowledge, 'k.safetensors', 'xyz'),
    /k.safetensors was distilled from the teacher abc, and the training starts from xyz/,
  );
  assert.throws(
    () => parsePartialKnowledge(serializeKnowledge(knowledge), 'k.safetensors'),
    /k.safetensors: it is no file of the format "sketchgrad knowledge under way"; its format is "sketchgrad knowledge 2"/,
  );
  assert.throws(
    () => parseKnowledge(serializeKnowledge({ ...knowledge, classes: ['cat'] }), 'k.safetensors'),
    /its knowledge are F32 \[3, 2\], where F32 \[1, any\] is needed/,
  );
});

/**
 * A classifier of a known spectrum: sum over i of (i + 1)^-1 u_i v_i^T, with u and v orthonormal (Householder
 * reflections).
 */
function classifierOfKnownSpectrum(
  classes: number,
  features: number,
): { readonly weight: StateTensor; readonly bias: StateTensor; readonly singular: readonly number[] } {
  const uniform = uniformNumbers(8);
  const reflection = (size: number): number[][] => {
    const v = Array.from({ length: size }, uniform);
    const square = v.reduce((sum, x) => sum + x * x, 0);
    return v.map((a, i) => v.map((b, j) => Number(i === j) - (2 * a * b) / square));
  };
  const [left, right] = [reflection(classes), reflection(features)];
  const singular = Array.from({ length: Math.min(classes, features) }, (_, i) => 1 / (i + 1));
  const values = Float32Array.from({ length: classes * features }, (_, index) =>
    singular.reduce((sum, s, i) => sum + s * left[i][Math.floor(index / features)] * right[i][index % features], 0),
  );
  return {
    weight: { shape: [classes, features], values },
    bias: { shape: [classes], values: Float32Array.from({ length: classes }, uniform) },
    singular,
  };
}

for (const [classes, features] of [
  [7, 12],
  [12, 7],
]) {
  test(`embedding and head are the best approximation of a ${classes} x ${features} classifier at every rank`, () => {
    const { weight, bias, singular } = classifierOfKnownSpectrum(classes, features);
    const trunk: StateTensor = { shape: [1], values: Float32Array.of(1) };
    for (const rank of [1, 3, 6, 7, 9]) {
      const state = retrievalStateFrom(
        new Map([
          ['conv1.weight', trunk],
          ['fc.weight', weight],
          ['fc.bias', bias],
        ]),
        rank,
      );
      assert.equal([...state.keys()].sort(), [
        'conv1.weight',
        'embedding.bias',
        'embedding.weight',
        'teacher.bias',
        'teacher.weight',
      ]);
      const [down, up] = ['embedding.weight', 'teacher.weight'].map((name) => state.get(name)!);
      assert.equal(
        [down.shape, up.shape],
        [
          [rank, features],
          [classes, rank],
        ],
      );
      let squares = 0;
      for (let c = 0; c < classes; c++) {
        for (let f = 0; f < features; f++) {
          let product = 0;
          for (let d = 0; d < rank; d++) product += up.values[c * rank + d] * down.values[d * features + f];
          squares += (product - weight.values[c * features + f]) ** 2;
        }
      }
      // Eckart and Young: what is left is the tail of the spectrum. The factors are float32.
      const tail = singular.slice(rank).reduce((sum, s) => sum + s * s, 0);
      assert.ok(
        Math.abs(Math.sqrt(squares) - Math.sqrt(tail)) < 1e-5,
        `rank ${rank}: ${Math.sqrt(squares)}, expected ${Math.sqrt(tail)}`,
      );
      assert.is(state.get('teacher.bias'), bias);
      assert.ok(state.get('embedding.bias')!.values.every((value) => value === 0));
    }
  });
}

test('a new classifier begins as the rows of a teacher that knows its classes', () => {
  const { weight, bias } = classifierOfKnownSpectrum(7, 12);
  const state = retrievalStateFrom(
    new Map([
      ['fc.weight', weight],
      ['fc.bias', bias],
    ]),
    7,
    [5, 2],
  );
  const head = state.get('teacher.weight')!.values;
  near(state.get('classifier.weight')!.values, [...head.subarray(5 * 7, 6 * 7), ...head.subarray(2 * 7, 3 * 7)], 0);
  near(state.get('classifier.bias')!.values, [bias.values[5], bias.values[2]], 0);
});

test('a retrieval network is one linear classifier of its features', () => {
  const tensor = (shape: number[], values: number[]) => ({ shape, values: Float32Array.from(values) });
  const state = new Map([
    ['conv1.weight', tensor([1], [7])],
    ['embedding.weight', tensor([2, 3], [1, 2, 3, 4, 5, 6])],
    ['embedding.bias', tensor([2], [1, -1])],
    ['classifier.weight', tensor([2, 2], [1, 0.5, -2, 1])],
    ['classifier.bias', tensor([2], [10, 20])],
    ['teacher.weight', tensor([1, 2], [1, 1])],
  ]);
  const { 'fc.weight': weight, 'fc.bias': bias, ...rest } = Object.fromEntries(classifierOf(state));
  assert.equal(
    [weight.shape, [...weight.values]],
    [
      [2, 3],
      [3, 4.5, 6, 2, 1, 0],
    ],
  );
  assert.equal([...bias.values], [10.5, 17]);
  assert.equal(Object.keys(rest), ['conv1.weight']);
  // Cosines are not linear in the features.
  state.delete('classifier.bias');
  assert.is(classifierOf(state), state);
});

test.run();
