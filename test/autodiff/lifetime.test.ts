// What lives how long: values that callers hand in, programs, storages and devices, and whose errors are whose.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { multiply, relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, ShapeError, ParameterStore, type Tensor } from '../../src/autodiff/tensor.ts';
import { Device } from '../../src/gpu/device.ts';
import { DisposedError, LimitError, ValidationError } from '../../src/gpu/errors.ts';
import { Network } from '../../src/nn/layers.ts';
import { StateMismatchError, writeState } from '../../src/nn/state.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { countBuffers } from '../support/counted-buffers.ts';
import { testDevice } from '../support/device.ts';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => assert.unreachable('it should have failed'),
    (error: unknown) => error,
  );
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const doubled = (name: string, length: number): { y: Tensor } => ({ y: scale(input(name, [length]), 2) });

/** Error scopes that are open on a device. */
async function openScopes({ gpu }: Device): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await gpu.popErrorScope();
    } catch {
      return count;
    }
  }
}

test('an array of feeds may be written again as soon as the call has returned, also where the run must wait for its turn', async () => {
  for (const stagedFrom of [0, Infinity]) {
    const program = await Program.compile(new DeviceStorage(await testDevice()), {
      outputs: { ...doubled('x', 300), words: input('bytes', [2], 'u32') },
      stagedFrom,
    });
    const x = new Float32Array(300);
    const bytes = new Uint8Array(8);
    const runs = Array.from({ length: 12 }, (_, run) => {
      x.fill(run);
      bytes.fill(run);
      return program.run({ x, bytes });
    });
    x.fill(99);
    bytes.fill(99);
    const found = await Promise.all(runs);
    assert.equal(
      found.map(({ y }) => y[299]),
      Array.from({ length: 12 }, (_, run) => 2 * run),
    );
    assert.equal(
      found.map(({ words }) => new Uint8Array(words.buffer)[7]),
      Array.from({ length: 12 }, (_, run) => run),
    );
    program.destroy();
  }
});

test('feeds, constants and stored tensors take shared memory and arrays of other kinds', async () => {
  const storage = new DeviceStorage(await testDevice());
  const store = new ParameterStore('s');
  const [w, next] = [store.add('w', [64]), store.add('next', [64], { kind: 'constant', value: 7 })];
  const shared = new Float32Array(new SharedArrayBuffer(256)).fill(3);
  const program = await Program.compile(storage, {
    outputs: { y: multiply(input('x', [64]), constant('c', [64], shared)), w: scale(w, 1) },
  });
  storage.write(w, shared);
  const { y, w: stored } = await program.run({ x: shared });
  assert.equal([y[0], y[63], stored[0], stored[63]], [9, 9, 3, 3]);
  storage.write(w, new Float64Array(64).fill(1.5));
  assert.equal([(await storage.read(w))[63], (await storage.read(next))[0]], [1.5, 7]);
  for (const wrong of [
    new Float32Array(65),
    new Float32Array(63),
    new Float64Array(128),
    new Uint32Array(64),
    'x'.repeat(64),
  ])
    assert.throws(
      () => storage.write(w, wrong as never),
      (error: Error) => error instanceof ShapeError && error.message.startsWith('w [64]'),
    );
  assert.equal([(await storage.read(w))[0], (await storage.read(next))[0]], [1.5, 7]);
  program.destroy();
  storage.destroy();
});

test('a state is converted likewise, and refused where a tensor has other values than its shape says', async () => {
  const storage = new DeviceStorage(await testDevice());
  const network = new Network();
  const weight = network.convolutionWeight('w', 1, 4, 2);
  const write = (values: unknown): unknown =>
    writeState(network, storage, new Map([['w', { shape: [2, 4, 1, 1], values: values as Float32Array }]]));
  write(Float64Array.from({ length: 8 }, (_, i) => i));
  assert.equal([...(await storage.read(weight))], [0, 4, 1, 5, 2, 6, 3, 7]);
  for (const wrong of [new Float32Array(7), new Float32Array(9), new Uint8Array(8), undefined])
    assert.throws(
      () => write(wrong),
      (error: Error) => error instanceof StateMismatchError && error.message.startsWith('w [2, 4, 1, 1]'),
    );
  storage.destroy();
});

test('what was destroyed says so, to reads, writes and runs alike', async () => {
  const device = await testDevice();
  const storage = new DeviceStorage(device);
  const w = new ParameterStore('s').add('w', [4]);
  storage.write(w, Float32Array.of(1, 2, 3, 4));
  const program = await Program.compile(storage, { outputs: { y: scale(w, 2) } });
  const reading = storage.read(w).then(
    () => 'read',
    (error: Error) => error.name,
  );
  storage.destroy();
  assert.ok(['read', 'DisposedError'].includes(await reading));
  for (const attempt of [
    () => storage.read(w),
    () => program.run({}),
    () => program.profile({}),
    () => program.findNonFinite({}),
    () => Program.compile(storage, { outputs: { y: scale(w, 2) } }),
  ]) {
    const error = await failureOf(attempt());
    assert.ok(error instanceof DisposedError && /storage was destroyed/.test(error.message), String(error));
  }
  assert.throws(
    () => storage.write(w, [1, 2, 3, 4]),
    (error: Error) => error instanceof DisposedError,
  );
  program.destroy();
  assert.ok(/program was destroyed/.test(String(await failureOf(program.run({})))));
  assert.throws(
    () => program.refresh(),
    (error: Error) => error instanceof DisposedError,
  );
  await device.idle();
});

test('runs in flight when their program is destroyed reject with that, and the device is well', async () => {
  const device = await testDevice();
  for (const stagedFrom of [0, Infinity]) {
    const program = await Program.compile(new DeviceStorage(device), { outputs: doubled('x', 1000), stagedFrom });
    const runs = [1, 2, 3, 4, 5].map((value) =>
      program.run({ x: new Float32Array(1000).fill(value) }).then(
        ({ y }) => y[0],
        (error: unknown) => error,
      ),
    );
    await turn();
    program.destroy();
    for (const [index, outcome] of (await Promise.all(runs)).entries())
      assert.ok(
        outcome === 2 * (index + 1) ||
          (outcome instanceof DisposedError && /program was destroyed/.test(outcome.message)),
        String(outcome),
      );
    await device.idle();
  }
});

test('a guest on a GPUDevice gives back only what is its own; its owner hears nothing of it', async () => {
  const owner = await openDevice();
  const guest = new Device(owner.gpu);
  const program = await Program.compile(new DeviceStorage(guest), { outputs: doubled('x', 1000) });
  const runs = [1, 2, 3, 4, 5, 6].map((value) =>
    program.run({ x: new Float32Array(1000).fill(value) }).then(
      ({ y }) => y[0],
      (error: unknown) => error,
    ),
  );
  await turn();
  guest.dispose();
  for (const outcome of await Promise.all(runs))
    assert.ok(typeof outcome === 'number' || outcome instanceof DisposedError, String(outcome));
  assert.instance(await failureOf(program.run({ x: new Float32Array(1000) })), DisposedError);
  assert.instance(await failureOf(guest.idle()), DisposedError);
  await owner.idle();
  const other = await Program.compile(new DeviceStorage(owner), { outputs: doubled('x', 4) });
  const last = other.run({ x: [1, 2, 3, 4] }).then(
    ({ y }) => y[3],
    (error: unknown) => error,
  );
  await turn();
  owner.dispose();
  const outcome = await last;
  assert.ok(outcome === 8 || outcome instanceof DisposedError, String(outcome));
  assert.instance(await failureOf(other.run({ x: [1, 2, 3, 4] })), DisposedError);
});

test('errors are told to whose calls they are of: neither those of others nor ours are lost in an error scope', async () => {
  const owner = await openDevice();
  const { gpu } = owner;
  const guest = new Device(gpu);
  const storage = new DeviceStorage(guest);
  const w = new ParameterStore('p').add('w', [4], { kind: 'constant', value: 10 });
  const program = await Program.compile(storage, { outputs: { y: sum(multiply(relu(input('x', [4])), w)) } });
  const run = (): Promise<unknown> =>
    program.run({ x: [1, 2, 3, 4] }).then(
      ({ y }) => y[0],
      (error: unknown) => error,
    );
  assert.is(await run(), 100);
  // A mistake of the page's own.
  gpu.pushErrorScope('validation');
  gpu.createBuffer({ size: 4, usage: 0 });
  assert.ok((await gpu.popErrorScope()) !== null);
  gpu.createBuffer({ size: 4, usage: 0 });
  assert.is(await run(), 100);
  assert.instance(await failureOf(owner.idle()), ValidationError);
  // A mistake of ours, while the page has a scope open.
  gpu.pushErrorScope('validation');
  storage.buffer((w.origin as { store: ParameterStore }).store).destroy();
  for (let attempt = 0; attempt < 3; attempt++) assert.instance(await run(), ValidationError);
  storage.write(w, [1, 2, 3, 4]);
  assert.instance(await failureOf(guest.idle()), ValidationError);
  assert.instance(await failureOf(storage.read(w)), ValidationError);
  assert.is(await gpu.popErrorScope(), null);
  assert.is(await openScopes(owner), 0);
  await owner.idle();
  owner.dispose();
});

test('a listener that throws rejects the compile with its error, and the process lives on', async () => {
  const device = await testDevice();
  const thrown = new Error('of the caller');
  const { alive } = await countBuffers(device, async () => {
    const storage = new DeviceStorage(device);
    assert.is(
      await failureOf(
        Program.compile(storage, {
          outputs: doubled('x', 4),
          onProgress: () => {
            throw thrown;
          },
        }),
      ),
      thrown,
    );
    await turn();
  });
  assert.is(alive, 0);
  const program = await Program.compile(new DeviceStorage(device), { outputs: doubled('x', 4) });
  assert.equal([...(await program.run({ x: [1, 2, 3, 4] })).y], [2, 4, 6, 8]);
  program.destroy();
});

test('a refused compile leaves neither buffers nor error scopes behind', async () => {
  const device = await openDevice();
  const { maxBufferSize } = device.gpu.limits;
  const { alive } = await countBuffers(device, async () => {
    const storage = new DeviceStorage(device);
    const x = input('x', [1000]);
    assert.instance(
      await failureOf(Program.compile(storage, { outputs: { y: multiply(x, input('x', [1000])) } })),
      ShapeError,
    );
    assert.instance(
      await failureOf(Program.compile(storage, { outputs: { y: scale(x, 2) }, output: {} } as never)),
      ShapeError,
    );
    // What is larger than a buffer, before any of it is asked for: results of a run, an input, a store. Each part of
    // them is small enough.
    const pieces = Array.from({ length: 5 }, (_, index) => scale(input(`piece ${index}`, [64]), 2));
    const large = (count: number): Tensor => input('large', [Math.floor(count / 4) + 4]);
    assert.instance(
      await failureOf(
        Program.compile(storage, {
          outputs: { y: large(maxBufferSize), ...Object.fromEntries(pieces.map((piece, index) => [index, piece])) },
        }),
      ),
      LimitError,
    );
    const store = new ParameterStore('weights');
    const weights = Array.from({ length: 9 }, (_, index) => store.add(`w${index}`, [Math.floor(maxBufferSize / 32)]));
    const error = await failureOf(
      Program.compile(storage, { outputs: { y: scale(weights[8], 2) }, maxBindingBytes: maxBufferSize }),
    );
    assert.ok(error instanceof LimitError && /weights|room/.test(error.message), String(error));
    assert.throws(
      () => storage.buffer(store),
      (thrown: Error) => thrown instanceof LimitError && /weights has \d+ bytes.*maxBufferSize/.test(thrown.message),
    );
  });
  assert.is(alive, 0);
  assert.is(await openScopes(device), 0);
  device.dispose();
});

test.run();
