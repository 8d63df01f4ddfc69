// A run in several submissions, as a GPU gets it.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scale } from '../../src/autodiff/ops/pointwise.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { submissionsOf } from '../../src/autodiff/submissions.ts';
import { input } from '../../src/autodiff/tensor.ts';
import type { Device } from '../../src/gpu/device.ts';
import { testDevice } from '../support/device.ts';

test('a processor gets all at once; a GPU a little at first, and everything once', () => {
  assert.equal(submissionsOf(7, 900, { kind: 'cpu' }), [[7, 900]]);
  assert.equal(submissionsOf(7, 900, { kind: 'gpu' }), [
    [7, 31],
    [31, 223],
    [223, 900],
  ]);
  assert.equal(submissionsOf(7, 31, { kind: 'gpu' }), [[7, 31]], 'what fits into the first is not parted');
  assert.equal(submissionsOf(7, 32, { kind: 'gpu' }), [
    [7, 31],
    [31, 32],
  ]);
  assert.equal(submissionsOf(3, 3, { kind: 'gpu' }), [[3, 3]], 'a run without commands still reads back');
});

test('runs of several submissions, in flight together, compute what they would alone', async () => {
  const device = await testDevice();
  const gpu = Object.create(device, { traits: { value: { ...device.traits, kind: 'gpu' } } }) as Device;
  const steps = 260;
  let chain = input('x', [5]);
  for (let step = 0; step < steps; step++) chain = scale(chain, step % 2 === 0 ? 1.25 : -0.75);
  const program = await Program.compile(new DeviceStorage(gpu), { outputs: { chain } });
  assert.is(program.size.dispatches, steps);
  const expected = (values: Float32Array): Float32Array =>
    values.map((value) =>
      Array.from({ length: steps }).reduce<number>(
        (product, _, step) => Math.fround(product * (step % 2 === 0 ? 1.25 : -0.75)),
        value,
      ),
    );
  const feeds = [1, 2, 3, 4].map((seed) => Float32Array.from({ length: 5 }, (_, index) => seed + index / 3));
  const runs = [];
  for (const x of feeds) runs.push((await program.submit({ x })).results);
  for (const [index, { chain: found }] of (await Promise.all(runs)).entries())
    assert.equal(found, expected(feeds[index]));
  program.destroy();
});

test.run();
