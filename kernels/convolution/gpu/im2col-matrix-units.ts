import type { AdapterTraits } from '../../contract/adapter-traits.ts';
import { elementBytes } from '../../contract/element-types.ts';
import { ALWAYS_BOUND } from '../../contract/slices.ts';
import type { KernelCall } from '../../kernel.ts';
import { afterPatches, im2colGather } from '../im2col.ts';
import type { ConvolutionShape } from '../problem.ts';
import { matrixTiles } from './matrix-units.ts';

/** The weight gradient by im2col, and matrix units for the product: in every variant that they have for a forward pass. */
export function matrixWeightGradient(shape: ConvolutionShape, traits: AdapterTraits): KernelCall[] {
  const element = shape.type ?? 'f32';
  const gather = im2colGather(shape, ALWAYS_BOUND);
  if (gather === undefined) return [];
  const bytes = (operand: string): number => elementBytes(element) * gather.operands[operand].length;
  const laidOut = { from: bytes('x'), to: bytes('patches') };
  return matrixTiles(gather, traits).map((call) =>
    afterPatches(shape, gather, {
      ...call,
      variant: `im2col ${call.variant}`,
      product: call.product && { ...call.product, laidOut },
    }),
  );
}
