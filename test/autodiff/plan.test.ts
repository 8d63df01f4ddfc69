import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scale as scaleFunction } from '../../kernels/elementwise/functions.ts';
import { pointwiseKernel } from '../../kernels/elementwise/pointwise.ts';
import { apply, use, type Op } from '../../src/autodiff/op.ts';
import { add, multiply, relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { convolution } from '../../src/autodiff/ops/convolution.ts';
import { identity } from '../../src/autodiff/ops/identity.ts';
import { quadrupletLoss } from '../../src/autodiff/ops/losses.ts';
import { accumulate, demand, interpolateUpdate, nonFinite } from '../../src/autodiff/ops/effects.ts';
import { pack } from '../../src/autodiff/ops/pack.ts';
import { reshape } from '../../src/autodiff/ops/reshape.ts';
import { LimitError } from '../../src/gpu/errors.ts';
import { tuningKey } from '../../src/autodiff/variant-selector.ts';
import { plan, tuningProblemsOf, type Plan } from '../../src/autodiff/plan.ts';
import { input, type GraphNode, ShapeError, ParameterStore, type Tensor } from '../../src/autodiff/tensor.ts';

const traits = {
  kind: 'gpu',
  subgroupSize: 0,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16384,
  maxWorkgroupsPerDimension: 65535,
} as const;
const planOf = (outputs: readonly Tensor[], updates: readonly GraphNode[] = []): Plan =>
  plan({ outputs, updates, traits, maxBufferBytes: 2 ** 20 });
const kernelsOf = ({ calls }: Plan): string[] => calls.map(({ kernel }) => kernel.name);

test('only what the outputs need is computed, each tensor before its users and once', () => {
  const x = input('x', [64]);
  const shared = relu(x);
  relu(shared);
  const planned = planOf([add(scale(shared, 2), shared)]);
  assert.equal(kernelsOf(planned), ['relu', 'scale', 'add']);
  assert.equal(planned.given, [x]);
});

test('the peak is known: a chain needs two tensors at a time', () => {
  let x = relu(input('x', [64]));
  for (let i = 0; i < 20; i++) x = relu(x);
  const { arenaBytes, liveBytes } = planOf([x]);
  assert.is(liveBytes, 2 * 256);
  assert.is(arenaBytes, liveBytes);
});

test('an output keeps its place until the end', () => {
  const early = relu(input('x', [64]));
  let late: Tensor = early;
  for (let i = 0; i < 5; i++) late = relu(late);
  const { calls, outputs } = planOf([early, late]);
  const kept = outputs.get(early);
  assert.is(kept?.kind, 'arena');
  for (const { places } of calls.slice(1)) assert.not.equal(places.y, kept);
});

test("a view has its source's memory, and no kernel", () => {
  const x = relu(input('x', [4, 6]));
  const view = reshape(reshape(x, [24]), [2, 12]);
  const planned = planOf([x, view]);
  assert.equal(kernelsOf(planned), ['relu']);
  assert.equal(planned.outputs.get(view), planned.outputs.get(x));
});

test('one tensor for two operands is copied for the second, also through a view', () => {
  const x = relu(input('x', [4, 6]));
  for (const product of [multiply(x, x), multiply(x, reshape(reshape(x, [24]), [4, 6]))]) {
    const { calls } = planOf([product]);
    assert.equal(
      calls.map(({ kernel }) => kernel.name),
      ['relu', 'copy', 'multiply'],
    );
    const { a, b } = calls[2].places;
    assert.not.equal(a, b);
  }
});

test('integers for two operands are copied as words', () => {
  const labels = input('labels', [5], 'u32');
  const { loss } = quadrupletLoss(input('x', [5, 3]), labels, labels);
  const { calls } = planOf([loss]);
  assert.equal(
    calls.map(({ kernel }) => kernel.name),
    ['copy', 'quadruplet_loss'],
  );
  assert.equal(calls[0].problem, {
    count: 5,
    sourceLength: 5,
    sourceOffset: 0,
    destinationLength: 5,
    destinationOffset: 0,
    type: 'u32',
  });
});

test('no two operands of a call share memory', () => {
  const x = input('x', [100]);
  const { calls } = planOf([add(multiply(relu(x), relu(x)), scale(relu(x), 3))]);
  for (const { places } of calls) {
    const inArena = Object.values(places).filter((place) => place.kind === 'arena');
    inArena.forEach((a, i) =>
      inArena.slice(0, i).forEach((b) => assert.ok(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset)),
    );
  }
});

function twoEntries(): ParameterStore {
  const store = new ParameterStore('packed');
  store.add('a', [10]);
  store.add('b', [70]);
  return store;
}

test('packed tensors are computed right into their store', () => {
  const store = twoEntries();
  const [a, b] = [relu(input('a', [10])), relu(input('b', [70]))];
  const { calls, outputs } = planOf([
    pack(
      new Map([
        ['a', a],
        ['b', b],
      ]),
      store,
    ),
  ]);
  assert.equal(
    calls.map(({ kernel }) => kernel.name),
    ['relu', 'relu'],
  );
  const offsets = calls
    .map(({ places: { result: y } }) => (y.kind === 'stored' && y.store === store ? y.offset : NaN))
    .sort((p, q) => p - q);
  assert.equal(offsets, [0, 256]);
  assert.is([...outputs.values()][0].kind, 'stored');
});

test('what cannot be computed there is copied there: an input, a view, a tensor with two places', () => {
  const store = new ParameterStore('packed');
  for (const name of ['given', 'view', 'first', 'second']) store.add(name, name === 'view' ? [2, 4] : [8]);
  const given = input('given', [8]);
  const viewed = relu(given);
  const twice = scale(given, 2);
  const tensors = new Map([
    ['given', given],
    ['view', reshape(viewed, [2, 4])],
    ['first', twice],
    ['second', twice],
  ]);
  const { calls } = planOf([pack(tensors, store)]);
  assert.equal(calls.map(({ kernel }) => kernel.name).sort(), ['copy', 'copy', 'copy', 'relu', 'scale']);
});

test('updates come last, in the order given', () => {
  const store = twoEntries();
  const other = twoEntries();
  const x = relu(input('x', [store.length]));
  const gate = nonFinite(x);
  const updates = [interpolateUpdate(store.flat, x, 0.5, gate), interpolateUpdate(other.flat, x, 0.25, gate)];
  const { calls } = planOf([scale(store.flat, 2)], updates);
  assert.equal(
    calls.slice(-2).map(({ node }) => node),
    updates,
  );
});

test('an eager node runs as soon as its inputs are there, so that their memory is free for others', () => {
  const store = twoEntries();
  const parts = ['a', 'b'].map((name) => ({ name, part: relu(input(name, [store.get(name).length])) }));
  const totals = parts.map(({ name, part }) => accumulate(store.get(name), part));
  const { calls, liveBytes } = planOf([], [demand(totals)]);
  assert.equal(
    calls.map(({ kernel }) => kernel.name),
    ['relu', 'accumulate', 'relu', 'accumulate'],
  );
  assert.equal(
    calls.filter(({ kernel }) => kernel.name === 'accumulate').map(({ places: { total } }) => total),
    [
      { kind: 'stored', store, offset: 0, bytes: 40 },
      { kind: 'stored', store, offset: 256, bytes: 280 },
    ],
  );
  assert.is(liveBytes, 4 * 70);
});

test('a lowering that forgets, invents or misshapes an operand is an error that names kernel and operand', () => {
  const lowering = (operands: (x: Tensor, y: Tensor) => Record<string, Tensor>): Tensor => {
    const op: Op<null> = {
      name: 'broken',
      infer: ([x]) => [{ shape: x.shape }],
      lower: ({ inputs: [x], outputs: [y] }) => [
        use(pointwiseKernel(scaleFunction), { count: x.length, parameters: { factor: 1 } }, operands(x, y)),
      ],
    };
    return apply(op, [input('x', [8])], null)[0];
  };
  const fails = (operands: (x: Tensor, y: Tensor) => Record<string, Tensor>, message: RegExp): void =>
    assert.throws(
      () => planOf([lowering(operands)]),
      (error: Error) => error instanceof ShapeError && message.test(error.message),
    );
  fails((_, result) => ({ result }), /scale: no tensor was given for operand x/);
  fails((x, result) => ({ x, result, extra: identity(x) }), /scale has no operand called extra/);
  fails(
    (_, result) => ({ x: input('short', [7]), result }),
    /operand x has 8 elements of f32, but was given short \[7\]/,
  );
  fails(
    (_, result) => ({ x: input('whole', [8], 'u32'), result }),
    /operand x has 8 elements of f32, but was given whole \[8\] u32/,
  );
});

test('frozen, calls on stored tensors alone come first, and keep their results clear of all others', () => {
  const store = new ParameterStore('weights');
  const x = input('x', [64]);
  const kept = scale(relu(store.add('w', [64])), 2);
  let y = multiply(x, kept);
  for (let i = 0; i < 5; i++) y = add(relu(y), kept);
  const planned = plan({ outputs: [relu(y)], updates: [], traits, maxBufferBytes: 2 ** 20, frozen: true });
  assert.is(planned.frozenCalls, 2);
  assert.equal(kernelsOf(planned).slice(0, 3), ['relu', 'scale', 'multiply']);
  const place = planned.calls[1].places.result;
  assert.equal(planned.calls[2].places.b, place);
  for (const { call, places } of planned.calls.slice(2)) {
    for (const [name, { role }] of Object.entries(call.operands))
      if (role !== 'input') assert.not.equal(places[name], place);
  }
});

test('frozen, prepacking is a call of its own if its operands are stored, and stays with its call if they are not', () => {
  const cpu = { ...traits, kind: 'cpu', subgroupSize: 8 } as const;
  const store = new ParameterStore('weights');
  const stored = store.add('w', [3, 3, 64, 64]);
  const x = input('x', [4, 16, 16, 64]);
  const given = input('given', [3, 3, 64, 64]);
  const planned = plan({
    outputs: [convolution(convolution(x, stored, { padding: 1 }), relu(given), { padding: 1 })],
    updates: [],
    traits: cpu,
    maxBufferBytes: 2 ** 24,
    frozen: true,
  });
  assert.is(planned.frozenCalls, 1);
  assert.equal(
    planned.calls.map(({ call }) => call.dispatches.length),
    [1, 3, 1, 1, 3],
  );
  assert.equal(planned.calls[0].places.transformedWeights, planned.calls[1].places.transformedWeights);
});

test('frozen, Winograd is chosen where only the transforms of its weights spoke against it; measurements are kept apart', () => {
  const cpu = { ...traits, kind: 'cpu', subgroupSize: 8 } as const;
  const w = new ParameterStore('weights').add('w', [3, 3, 256, 256]);
  const graph = {
    outputs: [convolution(input('x', [16, 4, 4, 256]), w, { padding: 1 })],
    updates: [],
    traits: cpu,
    maxBufferBytes: 2 ** 24,
  };
  const [plain, frozen] = [plan(graph), plan({ ...graph, frozen: true })];
  assert.match(plain.calls[0].call.variant, /^weight-stationary/);
  assert.equal(
    frozen.calls.map(({ call }) => call.variant),
    ['winograd 2x2 weight-stationary 64x64', 'winograd 2x2 weight-stationary 64x64'],
  );
  const [ofPlain, ofFrozen] = [plain, frozen].map((planned) => tuningProblemsOf(planned).map(tuningKey));
  assert.equal(
    ofFrozen,
    ofPlain.map((key) => `${key} prepared`),
  );
  // A choice made for one is none for the other.
  const chosen = plan({
    ...graph,
    frozen: true,
    choices: new Map([[ofPlain[0], 'winograd 4x4 weight-stationary 64x64']]),
  });
  assert.is(chosen.calls[0].call.variant, 'winograd 2x2 weight-stationary 64x64');
  assert.match(
    plan({ ...graph, frozen: true, choices: new Map([[ofFrozen[0], 'weight-stationary 64x64']]) }).calls[0].call
      .variant,
    /^weight-stationary/,
  );
});

test('a tensor above the binding limit is cut into slices, which changes neither the arena nor the order of calls', () => {
  const y = scale(relu(input('x', [3 * 2 ** 10])), 2);
  const options = { outputs: [y], updates: [], traits, maxBufferBytes: 2 ** 20 };
  const whole = plan({ ...options, maxBindingBytes: 2 ** 20 });
  const cut = plan({ ...options, maxBindingBytes: 2 ** 12 });
  assert.equal(
    cut.calls.map(({ call }) => call.dispatches.length),
    [3, 3],
  );
  assert.equal(
    cut.calls.map(({ places }) => places),
    whole.calls.map(({ places }) => places),
  );
  assert.is(cut.arenaBytes, whole.arenaBytes);
});

test('what cannot be cut to fit the binding limit is an error that names kernel, operand, tensor, bytes and limit', () => {
  const wide = convolution(input('photos', [4, 64, 64, 4]), input('kernels', [1, 1, 4, 4]));
  const planned = (maxBindingBytes: number): Plan =>
    plan({ outputs: [wide], updates: [], traits, maxBufferBytes: 2 ** 20, maxBindingBytes });
  assert.is(planned(65536).calls[0].call.dispatches.length, 4);
  assert.throws(
    () => planned(65535),
    (error: Error) =>
      error instanceof LimitError &&
      /operand x of convolution, tensor photos \[4, 64, 64, 4\], has 65536 bytes in the smallest slice; this adapter binds at most 65535/.test(
        error.message,
      ),
  );
});

test.run();
