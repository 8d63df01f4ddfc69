// How the values of a run's inputs reach the device: through staging buffers, as large inputs on a GPU do, or by
// writeBuffer.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RUNS_IN_FLIGHT } from '../../src/autodiff/memory.ts';
import { relu, scale } from '../../src/autodiff/ops/pointwise.ts';
import { scaleBy } from '../../src/autodiff/ops/scale.ts';
import { plan } from '../../src/autodiff/plan.ts';
import { Program, type Results } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, input, ShapeError } from '../../src/autodiff/tensor.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { DeviceLostError } from '../../src/gpu/errors.ts';
import { adamSettings } from '../../src/nn/optimizers/index.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { countBuffers } from '../support/counted-buffers.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';
import { smallTraining } from '../support/small-network.ts';

const traits: AdapterTraits = {
  kind: 'gpu',
  subgroupSize: 32,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16384,
  maxWorkgroupsPerDimension: 65535,
};
const EVERYTHING = { stagedFrom: 0 };
const bitsOf = (values: Float32Array): number[] => [
  ...new Uint32Array(values.buffer, values.byteOffset, values.length),
];
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('on a GPU inputs of 1 MiB and more are staged, as far as one buffer holds them; in software none are', () => {
  const images = input('images', [2 ** 18]);
  const others = [
    input('smaller', [2 ** 18 - 1]),
    input('further', [2 ** 18 + 1]),
    constant('table', [2 ** 18], new Float32Array(2 ** 18)),
  ];
  const options = { outputs: [images, ...others].map(relu), updates: [], traits, maxBufferBytes: 2 ** 24 };
  const staged = (changes: Partial<typeof options & { stagedFrom: number }>): string[] =>
    plan({ ...options, ...changes }).staged.map(({ name }) => name);
  assert.equal(staged({}), ['images', 'further']);
  assert.equal(staged({ maxBufferBytes: 1.5 * 2 ** 20 }), ['images']);
  assert.equal(staged({ traits: { ...traits, kind: 'cpu' } }), []);
  assert.equal(staged({ traits: { ...traits, kind: 'cpu' }, stagedFrom: 0 }), ['images', 'smaller', 'further']);
});

test('runs in flight find each its own values, whatever their sizes and however they travel', async () => {
  const length = 2 ** 18 + 5;
  const graph = {
    scaled: scaleBy(input('large', [length]), input('factor', [1])),
    doubled: scale(input('middle', [301]), 2),
    words: input('bytes', [4], 'u32'),
  };
  const ways = [
    { stagedFrom: 0, expected: ['large', 'factor', 'middle', 'bytes'] },
    { stagedFrom: 16, expected: ['large', 'middle', 'bytes'] },
    { stagedFrom: 2 ** 20, expected: ['large'] },
    { stagedFrom: Infinity, expected: [] },
  ];
  for (const { stagedFrom, expected } of ways) {
    const program = await Program.compile(new DeviceStorage(await testDevice()), { outputs: graph, stagedFrom });
    assert.equal(
      program.plan.staged.map(({ name }) => name),
      expected,
    );
    const large = new Float32Array(length);
    const pending: Promise<Results<keyof typeof graph>>[] = [];
    for (let run = 0; run < 11; run++) {
      large.fill(run + 1);
      // From 13 to 16 bytes for four words.
      const bytes = new Uint8Array(16 - (run % 4)).fill(run + 1);
      const { results } = await program.submit({
        large,
        factor: Float32Array.of(run + 2),
        middle: new Float32Array(301).fill(-run),
        bytes,
      });
      // What was submitted is the host's again.
      large.fill(NaN);
      bytes.fill(255);
      pending.push(results);
    }
    for (const [run, { scaled, doubled, words }] of (await Promise.all(pending)).entries()) {
      const title = `run ${run}, staged from ${stagedFrom}`;
      assert.ok(
        scaled.length === length && scaled.every((value) => value === (run + 1) * (run + 2)),
        `large in ${title}`,
      );
      assert.equal([...doubled], new Array(301).fill(-2 * run), `middle in ${title}`);
      assert.equal(
        [...new Uint8Array(words.buffer)],
        [...new Uint8Array(16).fill(run + 1, 0, 16 - (run % 4))],
        `bytes in ${title}`,
      );
    }
    program.destroy();
  }
});

test('runs that are asked for all at once take their turns', async () => {
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { y: scale(input('x', [3]), 2) },
    ...EVERYTHING,
  });
  const found = await Promise.all(
    Array.from({ length: 20 }, (_, run) => program.run({ x: Float32Array.of(run, run + 1, run + 2) })),
  );
  assert.equal(
    found.map(({ y }) => [...y]),
    Array.from({ length: 20 }, (_, run) => [2 * run, 2 * run + 2, 2 * run + 4]),
  );
  program.destroy();
});

test('training gives the same bits, staged or not', async () => {
  const device = await testDevice();
  const runs: number[][] = [];
  for (const options of [EVERYTHING, {}]) {
    const { program, storage, network, update, feeds } = await smallTraining(device, 5, adamSettings(1e-4), options);
    const results = await Promise.all([1, 2, 3, 4, 5].map(async (step) => (await program.submit(feeds(step))).results));
    const bits = results.flatMap(({ loss, logits }) => [...bitsOf(loss), ...bitsOf(logits)]);
    for (const store of [network.parameters, network.statistics, ...update.moments])
      bits.push(...bitsOf(await storage.read(store.flat)));
    runs.push(bits);
    program.destroy();
    storage.destroy();
  }
  assert.equal(runs[0], runs[1]);
});

test('what staging takes is in the predicted memory and is given back; a run makes nothing and submits once', async () => {
  const device = await testDevice();
  const outputs = { y: scale(input('x', [1001]), 2), words: input('labels', [3], 'u32') };
  const { made, alive } = await countBuffers(device, async (count) => {
    const storage = new DeviceStorage(device);
    const plain = await Program.compile(storage, { outputs });
    assert.is(plain.memory.total, count.made);
    const staged = await Program.compile(storage, { outputs, ...EVERYTHING });
    assert.is(plain.memory.total + staged.memory.total, count.made);
    assert.is(staged.memory.upload, RUNS_IN_FLIGHT * 4 * (1001 + 3));
    assert.is(staged.memory.total - plain.memory.total, staged.memory.upload);

    const before = count.made;
    const calls: string[] = [];
    const { queue } = device.gpu;
    for (const name of ['submit', 'writeBuffer'] as const) {
      const method = queue[name].bind(queue) as (...args: unknown[]) => undefined;
      Object.defineProperty(queue, name, {
        configurable: true,
        value: (...args: unknown[]) => (calls.push(name), method(...args)),
      });
    }
    try {
      for (let run = 0; run < 5; run++) await staged.run({ x: new Float32Array(1001), labels: new Uint32Array(3) });
      assert.equal(calls, new Array(5).fill('submit'));
      await plain.run({ x: new Float32Array(1001), labels: new Uint32Array(3) });
      assert.equal(calls.slice(5), ['writeBuffer', 'writeBuffer', 'submit']);
    } finally {
      for (const name of ['submit', 'writeBuffer']) Reflect.deleteProperty(queue, name);
    }
    assert.is(count.made, before);
    plain.destroy();
    staged.destroy();
  });
  assert.ok(made > 0);
  assert.is(alive, 0);
});

test('a refused feed takes no slot', async () => {
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { y: scale(input('x', [3]), 2) },
    ...EVERYTHING,
  });
  for (let attempt = 0; attempt < RUNS_IN_FLIGHT + 1; attempt++)
    assert.instance(await failureOf(program.run({ x: new Float32Array(4) })), ShapeError);
  assert.equal([...(await program.run({ x: Float32Array.of(1, 2, 3) })).y], [2, 4, 6]);
  program.destroy();
});

test('profiles and the search for what is not finite are fed between runs that are staged', async () => {
  const x = input('x', [8]);
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { y: scale(x, 2) },
    ...EVERYTHING,
  });
  const feeds = (value: number) => ({ x: new Float32Array(8).fill(value) });
  const { results: first } = await program.submit(feeds(1));
  assert.is((await program.findNonFinite(feeds(Infinity)))?.element, 0);
  const { results: second } = await program.submit(feeds(2));
  assert.is((await program.profile(feeds(3))).length, program.size.dispatches);
  assert.is(await program.findNonFinite(feeds(4)), null);
  const { results: third } = await program.submit(feeds(5));
  assert.equal(
    (await Promise.all([first, second, third])).map(({ y }) => y[7]),
    [2, 4, 10],
  );
  program.destroy();
});

test('the loss of the device while slots are on their way is a DeviceLostError, wherever it happens', async () => {
  const uniform = uniformNumbers(7);
  let lost = 0;
  for (let trial = 0; trial < 10; trial++) {
    const device = await openDevice();
    const program = await Program.compile(new DeviceStorage(device), {
      outputs: { y: scale(input('x', [5000]), 2) },
      ...EVERYTHING,
    });
    const moment = trial % 5;
    const outcomes: Promise<void>[] = [];
    for (let run = 0; run < 6; run++) {
      // The next submit comes before the device has told anybody of its loss.
      if (run === moment) device.gpu.destroy();
      const results = program.submit({ x: new Float32Array(5000).fill(run) }).then((submitted) => submitted.results);
      const check = async (): Promise<void> => {
        const outcome = await results.catch((error: unknown) => error);
        if (outcome instanceof Error) {
          lost++;
          assert.instance(outcome, DeviceLostError, `run ${run} of trial ${trial}: ${outcome}`);
        } else assert.ok((outcome as Results<'y'>).y.every((value) => value === 2 * run));
      };
      outcomes.push(check());
      if (uniform() < 0) await outcomes.at(-1);
    }
    await Promise.all(outcomes);
    assert.instance(await failureOf(program.run({ x: new Float32Array(5000) })), DeviceLostError);
    program.destroy();
  }
  assert.ok(lost > 0, 'no trial lost its device in time');
});

test.run();
