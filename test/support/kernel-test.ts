import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Kernel } from '../../kernels/kernel.ts';
import type { StorageType } from '../../kernels/storage-type.ts';
import type { AnyKernel } from '../../src/autodiff/op.ts';
import { testDevice } from './device.ts';
import { checkKernelCase } from './kernel-case.ts';
import { uniformNumbers } from './uniform-numbers.ts';

export { assertWithin } from './kernel-case.ts';
export { uniformNumbers };

/** Registers a test for each ragged case of a kernel: every variant that the adapter offers against the reference. */
export function testKernel<Problem>(kernel: Kernel<Problem>): void {
  kernel.cases.forEach((problem, index) => {
    test(`${kernel.name}: case ${index} ${JSON.stringify(problem)}`, async () => {
      const device = await testDevice();
      if (device.traits.f16 !== true && (problem as StorageType).type === 'f16')
        return assert.equal(
          kernel.calls(problem, device.traits),
          [],
          'a variant with 16-bit floats, which this adapter lacks',
        );
      await checkKernelCase(device, kernel as AnyKernel, index);
    });
  });
}
