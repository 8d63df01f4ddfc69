import { ceilDivide } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { KernelCall } from '../kernel.ts';
import type { Gather } from './gather.ts';
import { epilogueFields, withParameters } from './parameters.ts';

/** Destination pixels, and channels, of a workgroup. */
const [PIXELS, CHANNELS] = [32, 32];

/**
 * The forward convolution by plain loops: one pipeline for all shapes and epilogues, which compiles quickly. Slower
 * than the other variants once these are compiled.
 */
export function directLoops(gather: Gather): KernelCall[] {
  const { forward, element, flags, operands, order, destinationChannels, byImages } = gather;
  if (!forward || element !== 'f32') return [];
  return [
    {
      variant: 'direct loops',
      operands,
      dispatches: [
        byImages((sizes, pixels) =>
          withParameters(
            { ...sizes, ...epilogueFields(flags) },
            {
              shader: shaders.convolutionDirect,
              operands: order,
              workgroups: [ceilDivide(destinationChannels, CHANNELS), ceilDivide(pixels, PIXELS), 1],
            },
          ),
        ),
      ],
    },
  ];
}
