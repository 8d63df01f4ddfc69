import type { AdapterTraits } from '../../contract/adapter-traits.ts';
import { ceilDivide } from '../../contract/grid.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { bestWeightStationaryCall } from './weight-stationary.ts';
import { hasOneTap, productGather, type Gather } from '../gather.ts';
import type { KernelCall } from '../../kernel.ts';
import { withParameters } from '../parameters.ts';

/**
 * Pixels for which a product is transposed: a block of columns for them to fill, but too few to repay filling blocks of
 * weights.
 */
const LEAST_PIXELS = 32;
const MOST_PIXELS = 128;
/** Channels of the result, which stream past a block of pixels, for each of them. */
const LEAST_CHANNELS = 4;
const WORKGROUP_SIZE = 8;

/**
 * For processors in software whose vectors have four lanes, the data gradient of a 1x1 convolution of few pixels, the
 * other way round: pixels are the block that stays, and rows of weights stream past it. That is the same product with
 * its factors exchanged; its result, [channels, pixels], is transposed by a second dispatch. Not for the forward pass,
 * whose weights lie in the wrong order for it; and with eight lanes resident accumulators are faster.
 */
export function transposedProducts(gather: Gather, traits: AdapterTraits): KernelCall[] {
  const { sizes, sourceChannels, destinationChannels: channels, operands, order } = gather;
  const [source, weights, destination, ...epilogue] = order;
  const lanes = traits.subgroupSize;
  if (gather.forward || lanes !== 4 || !hasOneTap(gather)) return [];
  const pixels = operands[source].length / sourceChannels;
  if (pixels % 4 !== 0 || pixels < LEAST_PIXELS || pixels > MOST_PIXELS || channels < LEAST_CHANNELS * pixels)
    return [];
  const call = bestWeightStationaryCall(
    productGather([channels, sourceChannels, pixels], {
      ...gather,
      operands: { ...operands, transposed: { role: 'scratch', type: 'f32', length: channels * pixels } },
      order: [weights, source, 'transposed', ...epilogue],
    }),
    lanes,
  );
  return [
    {
      ...call,
      variant: call.variant.replace('weight-stationary', 'transposed'),
      dispatches: [
        ...call.dispatches,
        withParameters(sizes, {
          shader: shaders.transposePixels,
          constants: { WORKGROUP_SIZE },
          operands: ['transposed', destination],
          workgroups: [ceilDivide(channels / 4, WORKGROUP_SIZE), pixels / 4, 1],
        }),
      ],
    },
  ];
}
