import { test } from 'uvu';
import type { Kernel } from '../../kernels/kernel.ts';
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
      await checkKernelCase(await testDevice(), kernel as AnyKernel, index);
    });
  });
}
