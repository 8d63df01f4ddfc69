import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { prepareImages, type PrepareImagesProblem } from '../../../kernels/image/prepare-images.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin } from '../../support/kernel-test.ts';

/** Bytes 0, 1, 2, ... as images, and an affine map for each. */
async function prepare(
  problem: PrepareImagesProblem,
  maps: readonly (readonly number[])[],
  fill: number,
): Promise<Float32Array> {
  const device = await testDevice();
  const bytes = new Uint8Array(4 * Math.ceil((3 * problem.count * problem.source ** 2) / 4)).map((_, i) => i);
  const transforms = maps.flatMap((map) => [...map, fill, fill, fill, 0, 0, 0]);
  const [call] = prepareImages.calls(problem, device.traits);
  return (await runKernel(device, call, { images: new Uint32Array(bytes.buffer), transforms })).output as Float32Array;
}

const plain = { mean: [0, 0, 0], deviation: [1 / 255, 1 / 255, 1 / 255] } as const;

test('prepare_images: the identity gives every byte in its place, and a flip mirrors the rows', async () => {
  const problem: PrepareImagesProblem = { count: 2, source: 5, size: 5, ...plain };
  const output = await prepare(
    problem,
    [
      [1, 0, 0, 0, 1, 0],
      [-1, 0, 4, 0, 1, 0],
    ],
    0,
  );
  const expected: number[] = [];
  for (let image = 0; image < 2; image++) {
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 5; x++) {
        const first = 75 * image + 15 * y + 3 * (image === 0 ? x : 4 - x);
        expected.push(first, first + 1, first + 2, 0);
      }
    }
  }
  assertWithin(
    'output',
    output,
    expected,
    expected.map((value) => 2 ** -22 * value),
  );
});

test('prepare_images: half a pixel beyond the edge is half the fill color, farther is all of it', async () => {
  const problem: PrepareImagesProblem = { count: 1, source: 2, size: 4, ...plain };
  // Columns read at -0.5, 0.5, 1.5, 2.5 in row 0.
  const output = await prepare(problem, [[1, 0, -0.5, 0, 0, 0]], 200);
  const red = [0, 1, 2, 3].map((x) => output[4 * x]);
  assertWithin('red', red, [100, 1.5, (3 + 200) / 2, 200], [1e-4, 1e-4, 1e-4, 1e-4]);
});

test('prepare_images: maps to very far away give the fill color', async () => {
  const problem: PrepareImagesProblem = { count: 1, source: 3, size: 2, ...plain };
  const output = await prepare(problem, [[1e30, 0, 1e30, 0, -1e30, -1e30]], 40);
  assert.ok(
    [0, 4, 8, 12].every((pixel) => Math.abs(output[pixel] - 40) < 1e-4),
    String(output),
  );
});

test.run();
