/**
 * The registry of kernels: families, the modules of each, and the kernels that a module declares. It follows from the
 * folders (scripts/collect-declarations.mjs). The tuner, `sketchgrad doctor`, benchmarks, tests and predictions read it.
 * A module's shader, test, benchmark and page are in the folder of its family, under its name.
 * test/kernels/registry.test.ts finds what is missing.
 */
import * as functions from './elementwise/functions.ts';
import { pointwiseKernel, withDerivatives } from './elementwise/pointwise.ts';
import { families } from './generated/families.ts';
import type { AnyKernel } from './kernel.ts';

export const KERNEL_FAMILIES = {
  ...families,
  // Each row of the table is a kernel.
  elementwise: {
    ...families.elementwise,
    pointwise: withDerivatives(Object.values(functions)).map(pointwiseKernel),
  },
} satisfies Record<string, Record<string, readonly AnyKernel[]>>;

export type KernelFamily = keyof typeof KERNEL_FAMILIES;

/** Every module of the registry. */
export const KERNEL_MODULES: readonly {
  readonly family: KernelFamily;
  readonly module: string;
  readonly kernels: readonly AnyKernel[];
}[] = Object.entries(KERNEL_FAMILIES).flatMap(([family, modules]) =>
  Object.entries(modules as Record<string, readonly AnyKernel[]>).map(([module, kernels]) => ({
    family: family as KernelFamily,
    module,
    kernels,
  })),
);

/** Every kernel. */
export const ALL_KERNELS: readonly AnyKernel[] = KERNEL_MODULES.flatMap(({ kernels }) => kernels);
