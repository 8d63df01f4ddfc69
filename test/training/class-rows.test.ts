import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { State } from '../../src/nn/state.ts';
import { knownRows } from '../../src/training/class-rows.ts';

const tensor = (shape: number[], first: number): { shape: number[]; values: Float32Array } => ({
  shape,
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => first + index),
});
const drawn: State = new Map([
  ['classifier.weight', tensor([3, 2], 100)],
  ['classifier.bias', tensor([3], 200)],
  ['embedding.weight', tensor([2, 2], 300)],
]);
const classes = ['cat', 'hot air balloon', 'dog'];

test('rows of known classes come from the starting weights, in whatever spelling and order; others stay as drawn', () => {
  const start: State = new Map([
    ['classifier.weight', tensor([3, 2], 0)],
    ['classifier.bias', tensor([3], 10)],
  ]);
  const { state, count } = knownRows(drawn, classes, start, ['Hot_air-balloon', 'tree', 'cat']);
  assert.is(count, 2);
  assert.equal([...(state.get('classifier.weight')?.values ?? [])], [4, 5, 0, 1, 104, 105]);
  assert.equal([...(state.get('classifier.bias')?.values ?? [])], [12, 10, 202]);
  assert.equal([...state.keys()], ['classifier.weight', 'classifier.bias']);
  assert.equal(
    [...drawn.get('classifier.weight')!.values],
    [100, 101, 102, 103, 104, 105],
    'what was drawn is not changed',
  );
});

test('another width of embeddings, or a table of other classes than it says, gives nothing', () => {
  assert.equal(knownRows(drawn, classes, new Map([['classifier.weight', tensor([3, 4], 0)]]), ['cat', 'dog', 'tree']), {
    state: new Map(),
    count: 0,
  });
  assert.equal(knownRows(drawn, classes, new Map([['classifier.weight', tensor([2, 2], 0)]]), ['cat', 'dog', 'tree']), {
    state: new Map(),
    count: 0,
  });
  assert.equal(
    knownRows(new Map(), classes, new Map([['classifier.weight', tensor([3, 2], 0)]]), ['cat', 'dog', 'tree']),
    { state: new Map(), count: 0 },
  );
});

test.run();
