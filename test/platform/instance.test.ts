// Dawn's instance must outlive whatever uses it: collected before, it aborts the process, and with it this suite.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scale } from '../../src/autodiff/ops/pointwise.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input } from '../../src/autodiff/tensor.ts';
import type { Device } from '../../src/gpu/device.ts';
import { DisposedError } from '../../src/gpu/errors.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import { testDevice } from '../support/device.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function use(device: Device, rounds: number): Promise<number> {
  const program = await Program.compile(new DeviceStorage(device), { outputs: { y: scale(input('x', [1000]), 2) } });
  for (let round = 0; round < rounds; round++) {
    assert.is((await program.run({ x: new Float32Array(1000).fill(round) })).y[999], 2 * round);
    collect();
  }
  return rounds;
}

test('two users of the library in one process, one of whom ends while the other goes on', async () => {
  const job = async (rounds: number): Promise<number> => {
    const device = await openDevice();
    const done = await use(device, rounds);
    device.dispose();
    releaseGpu();
    return done;
  };
  assert.equal(await Promise.all([job(1), job(12)]), [1, 12]);
});

test('ensureAdapter beside openDevice', async () => {
  const [, device] = await Promise.all([ensureAdapter(), openDevice()]);
  releaseGpu();
  await use(device, 6);
  device.dispose();
});

test('devices that are disposed of with work in flight, and collected at once', async () => {
  const outcomes: Promise<string>[] = [];
  for (let round = 0; round < 4; round++) {
    const device = await openDevice();
    const storage = new DeviceStorage(device);
    const program = await Program.compile(storage, { outputs: { y: scale(input('x', [1000 + round]), 2) } });
    const told = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'done',
        (error: unknown) => (error instanceof DisposedError ? 'disposed' : String(error)),
      );
    for (let run = 0; run < 4; run++) outcomes.push(told(program.run({ x: new Float32Array(1000 + round) })));
    outcomes.push(told(Program.compile(storage, { outputs: { y: scale(input('z', [77 + round]), 3) } })));
    if (round % 2 === 1) await new Promise((resolve) => setImmediate(resolve));
    device.dispose();
    releaseGpu();
    collect();
  }
  for (const outcome of await Promise.all(outcomes)) assert.ok(['done', 'disposed'].includes(outcome), outcome);
  collect();
  await use(await testDevice(), 2);
});

test.run();
