import { readFileSync } from 'node:fs';
import type { KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits, MatrixProduct } from '../../kernels/contract/adapter-traits.ts';
import type { Dispatch, Shader } from '../../kernels/contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';

export const EMULATION: Shader = {
  name: 'emulated-matrix-units.wgsl',
  source: readFileSync(new URL('emulated-matrix-units.wgsl', import.meta.url), 'utf8'),
};

/** An adapter as if it had matrix units for these products, and subgroups of this size. */
export const withMatrixUnits = (
  traits: AdapterTraits,
  products: readonly MatrixProduct[],
  subgroupSize: number,
): AdapterTraits => ({
  ...traits,
  matrixUnits: { products, subgroupSizes: [subgroupSize, subgroupSize] },
});

/** A call by matrix units with the units' library exchanged for its emulation; all else stays as it is. */
export function emulated(call: KernelCall, { subgroupSize }: AdapterTraits, library = EMULATION): KernelCall {
  return {
    ...call,
    variant: `${call.variant}, emulated`,
    dispatches: call.dispatches.map((dispatch): Dispatch => {
      if (!isByMatrixUnits(dispatch)) return dispatch;
      const features = dispatch.features?.filter((feature) => feature !== 'chromium_experimental_subgroup_matrix');
      return {
        ...dispatch,
        features,
        libraries: dispatch.libraries?.map((each) => (each === shaders.matrixUnits ? library : each)),
        constants: { ...dispatch.constants, LANES: subgroupSize },
      };
    }),
  };
}

export const isByMatrixUnits = ({ libraries }: Dispatch): boolean => libraries?.includes(shaders.matrixUnits) ?? false;
