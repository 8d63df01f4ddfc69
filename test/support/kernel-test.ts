import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { AnyKernel, Kernel } from '../../kernels/kernel.ts';
import { KERNEL_MODULES, type KERNEL_FAMILIES, type KernelFamily } from '../../kernels/index.ts';
import { canStore, type StorageType } from '../../kernels/contract/storage-type.ts';
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
      if (!canStore(problem as StorageType, device.traits))
        return assert.equal(
          kernel.calls(problem, device.traits),
          [],
          'a variant with 16-bit floats, which this adapter lacks',
        );
      await checkKernelCase(device, kernel as AnyKernel, index);
    });
  });
}

/** Registers the tests of {@link testKernel} for every kernel of a module of the registry. */
export function testModule<Family extends KernelFamily>(
  family: Family,
  module: keyof (typeof KERNEL_FAMILIES)[Family] & string,
): void {
  for (const { kernels } of KERNEL_MODULES.filter((one) => one.family === family && one.module === module))
    for (const kernel of kernels) testKernel(kernel as Kernel<unknown>);
}

/** The same for every kernel of a family. */
export function testFamily(family: KernelFamily): void {
  for (const { kernels } of KERNEL_MODULES.filter((one) => one.family === family))
    for (const kernel of kernels) testKernel(kernel as Kernel<unknown>);
}
