import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { pack } from '../../src/autodiff/ops/pack.ts';
import { Program } from '../../src/autodiff/program.ts';
import { initializeStore } from '../../src/autodiff/initialize.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, ShapeError, ParameterStore, STORE_ALIGNMENT, Tensor } from '../../src/autodiff/tensor.ts';
import { testDevice } from '../support/device.ts';
import { smallTraining } from '../support/small-network.ts';

const refuses = (action: () => unknown, message: RegExp): void => {
  assert.throws(action, (error: Error) => error instanceof ShapeError && message.test(error.message));
};

function threeEntries(): ParameterStore {
  const store = new ParameterStore('weights');
  store.add('scalar', [1], { kind: 'constant', value: 7 });
  store.add('matrix', [10, 13], { kind: 'normal', deviation: 2 });
  store.add('vector', [64], { kind: 'uniform', bound: 0.5 });
  return store;
}

test('tensors lie one after the other, each at the alignment of a binding', () => {
  const store = threeEntries();
  assert.equal(
    [...store.entries.values()].map(({ offset }) => offset),
    [0, 64, 256],
  );
  assert.is(store.length, 320);
  assert.is(store.length % STORE_ALIGNMENT, 0);
  assert.equal(store.flat.shape, [320]);
});

test('a store of the same layout has the same names, shapes and places, and starts at zero', () => {
  const store = threeEntries();
  const twin = store.like('moments');
  for (const [name, { tensor, offset }] of store.entries) {
    const entry = twin.entries.get(name);
    assert.equal(entry?.tensor.shape, tensor.shape);
    assert.is(entry?.offset, offset);
    assert.equal(entry?.initial, { kind: 'constant', value: 0 });
  }
});

test('wrong names, shapes and late additions are refused by name', () => {
  const store = threeEntries();
  refuses(() => store.add('matrix', [2]), /weights: there is a tensor called matrix already/);
  refuses(() => store.get('bias'), /weights has no tensor called bias/);
  refuses(() => store.add('empty', [3, 0]), /empty: \[3, 0\] is no shape/);
  refuses(() => store.add('half', [2.5]), /half: \[2.5\] is no shape/);
  refuses(() => constant('table', [3], Float32Array.of(1, 2)), /table \[3\] was given 2 values/);
  assert.instance(store.flat, Tensor);
  refuses(() => store.add('late', [2]), /weights: late comes too late/);
});

test('what is written is read, and neighbors are left alone', async () => {
  const store = threeEntries();
  const storage = new DeviceStorage(await testDevice());
  const matrix = Float32Array.from({ length: 130 }, (_, i) => i + 1);
  storage.write(store.get('matrix'), matrix);
  const flat = await storage.read(store.flat);
  assert.equal(await storage.read(store.get('matrix')), matrix);
  assert.is(flat[0], 7, 'what is constant of the initial values is there from the first use');
  assert.equal(flat.slice(1, 64), new Float32Array(63));
  assert.equal(flat.slice(64 + 130), new Float32Array(320 - 194));
  refuses(() => storage.write(store.get('vector'), matrix), /vector \[64\] was given 130 values/);
  refuses(() => storage.write(input('x', [1]), Float32Array.of(1)), /x \[1\] is not kept in a store/);
  assert.is(storage.bytes, 4 * 320);
  storage.destroy();
});

test('initial values depend on the seed and the name alone, and gaps stay zero', async () => {
  const storage = new DeviceStorage(await testDevice());
  const store = threeEntries();
  await initializeStore(storage, store, 11);
  const flat = await storage.read(store.flat);
  assert.is(flat[0], 7);
  assert.equal(flat.slice(1, 64), new Float32Array(63));
  assert.equal(flat.slice(194, 256), new Float32Array(62));
  assert.ok((await storage.read(store.get('vector'))).every((value) => Math.abs(value) <= 0.5));

  const other = new ParameterStore('another layout');
  other.add('vector', [64], { kind: 'uniform', bound: 0.5 });
  other.add('renamed', [10, 13], { kind: 'normal', deviation: 2 });
  await initializeStore(storage, other, 11);
  assert.equal(await storage.read(other.get('vector')), await storage.read(store.get('vector')));
  assert.not.equal(await storage.read(other.get('renamed')), await storage.read(store.get('matrix')));
  const before = await storage.read(store.get('matrix'));
  await initializeStore(storage, store, 12);
  assert.not.equal(await storage.read(store.get('matrix')), before);
  storage.destroy();
});

test('a packed store holds the tensors in their places: computed there, given, viewed, and one in two places', async () => {
  const store = new ParameterStore('packed');
  for (const name of ['computed', 'given', 'first', 'second']) store.add(name, [5]);
  const x = input('x', [5]);
  const twice = scale(x, 2);
  const storage = new DeviceStorage(await testDevice());
  const packed = pack(
    new Map([
      ['computed', relu(x)],
      ['given', x],
      ['first', twice],
      ['second', twice],
    ]),
    store,
  );
  const program = await Program.compile(storage, { outputs: { packed, twice } });
  const { packed: found, twice: doubled } = await program.run({ x: Float32Array.of(-2, -1, 0, 1, 2) });
  assert.equal(await storage.read(store.flat), found);
  const entry = (name: string): number[] => {
    const { offset = 0, tensor } = store.entries.get(name) ?? {};
    return [...found.slice(offset, offset + (tensor?.length ?? 0))];
  };
  assert.equal(entry('computed'), [0, 0, 0, 1, 2]);
  assert.equal(entry('given'), [-2, -1, 0, 1, 2]);
  assert.equal(entry('first'), [-4, -2, 0, 2, 4]);
  assert.equal(entry('second'), [-4, -2, 0, 2, 4]);
  assert.equal([...doubled], [-4, -2, 0, 2, 4]);
  program.destroy();
  storage.destroy();
});

test('training leaves the gaps between parameters at zero', async () => {
  const { network, storage, update, program, feeds } = await smallTraining(await testDevice());
  for (let step = 1; step <= 3; step++) await program.run(feeds(step));
  for (const store of [network.parameters, update.gradients, network.statistics, ...update.moments]) {
    const flat = await storage.read(store.flat);
    const used = new Uint8Array(flat.length);
    for (const { offset, tensor } of store.entries.values()) used.fill(1, offset, offset + tensor.length);
    flat.forEach((value, index) => used[index] === 1 || assert.is(value, 0, `${store.name}[${index}]`));
  }
  program.destroy();
  storage.destroy();
});

test.run();
