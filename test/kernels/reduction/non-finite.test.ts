import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL_FINITE, nonFinite } from '../../../kernels/reduction/non-finite.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

/** The report on numbers given by their bits. */
async function reportOn(bits: readonly number[]): Promise<number[][]> {
  const device = await testDevice();
  const values = new Float32Array(Uint32Array.from(bits).buffer);
  const reports: number[][] = [];
  for (const call of nonFinite.calls({ count: bits.length }, device.traits)) {
    reports.push(Array.from((await runKernel(device, call, { values })).report));
  }
  return reports;
}

test('non_finite: the largest numbers, subnormals and both zeros are finite', async () => {
  const bits = [0x7f7fffff, 0xff7fffff, 0x00000001, 0x80000001, 0x007fffff, 0x00000000, 0x80000000, 0x3f800000];
  for (const report of await reportOn(bits)) assert.equal(report, [0, ALL_FINITE]);
});

test('non_finite: infinities, quiet and signalling NaN of either sign are not, wherever they stand', async () => {
  const specials = [0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff];
  for (const count of [7, 8]) {
    for (let position = 0; position < count; position++) {
      const special = specials[position % specials.length];
      const bits = Array.from({ length: count }, (_, i) => (i === position ? special : 0x7f7fffff));
      for (const report of await reportOn(bits))
        assert.equal(report, [1, position], `0x${special.toString(16)} at ${position} of ${count}`);
    }
  }
});

test('non_finite: the first of many in a long arena, in every component and behind many spans', async () => {
  for (const first of [33333, 33334, 33335, 33336]) {
    const bits = new Array<number>(40000).fill(0);
    for (let i = first; i < bits.length; i += 7) bits[i] = 0x7fc00000;
    for (const report of await reportOn(bits)) assert.equal(report, [Math.ceil((bits.length - first) / 7), first]);
  }
});

test.run();
