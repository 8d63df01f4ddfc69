import { ceilDivide, type AdapterTraits } from '../../contract/dispatch.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { bestWeightStationaryCall, hasOneTap, hasVectors } from './weight-stationary.ts';
import type { Gather } from '../gpu/tiles.ts';
import type { KernelCall } from '../../kernel.ts';

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
  const { shape, sourceChannels, destinationChannels: channels, operands, order } = gather;
  const [source, weights, destination, ...epilogue] = order;
  const lanes = traits.subgroupSize;
  if (lanes !== 4 || !hasOneTap(gather) || !hasVectors(gather)) return [];
  const pixels = operands[source].length / sourceChannels;
  if (pixels % 4 !== 0 || pixels < LEAST_PIXELS || pixels > MOST_PIXELS || channels < LEAST_CHANNELS * pixels)
    return [];
  const call = bestWeightStationaryCall(
    {
      ...gather,
      shape: {
        batch: 1,
        height: 1,
        width: channels,
        inputChannels: pixels,
        outputChannels: sourceChannels,
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
      },
      destinationChannels: pixels,
      phases: [1, 1],
      pixels: channels,
      byImages: (launch) => launch([1, 1, channels, sourceChannels, 1, channels, pixels, 1, 1, 1, 1, 0, 0], channels),
      operands: { ...operands, transposed: { role: 'scratch', type: 'f32', length: channels * pixels } },
      order: [weights, source, 'transposed', ...epilogue],
    },
    lanes,
  );
  const { height, width, stride } = shape;
  return [
    {
      ...call,
      variant: call.variant.replace('weight-stationary', 'transposed'),
      dispatches: [
        ...call.dispatches,
        {
          shader: shaders.transposePixels,
          constants: { WORKGROUP_SIZE },
          parameters: [
            pixels,
            channels,
            ceilDivide(height, stride[0]),
            ceilDivide(width, stride[1]),
            height,
            width,
            ...stride,
          ],
          operands: ['transposed', destination],
          workgroups: [ceilDivide(channels / 4, WORKGROUP_SIZE), pixels / 4, 1],
        },
      ],
    },
  ];
}
