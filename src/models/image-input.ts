import { prepareImages, type ImageInputs } from '../autodiff/ops/prepare-images.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { FloatType } from '../../kernels/contract/element-types.ts';
import { IMAGENET_PIXELS, type PixelNormalization } from '../nn/pixels.ts';

/**
 * How activations and their gradients are stored; all arithmetic, parameters and losses are f32
 * (docs/mixed-precision.md).
 */
export type Precision = FloatType;

/** The sizes and the preparation of a batch of images. */
export interface BatchShape {
  /** Images in a batch. */
  readonly count: number;
  /** Side of the decoded images and of the network's input, in pixels. */
  readonly sourceSize: number;
  readonly size: number;
  readonly pixels?: PixelNormalization;
  /** f32 if left out. The images are stored so, and everything that a network computes of them follows. */
  readonly precision?: Precision;
}

/**
 * Images of a batch as the network wants them; adds the inputs `images` and `transforms` to the graph, or two of other
 * names.
 */
export function imageInput(
  { count, sourceSize, size, pixels = IMAGENET_PIXELS, precision }: BatchShape,
  names?: ImageInputs,
): Tensor {
  return prepareImages(
    {
      count,
      source: sourceSize,
      size,
      mean: pixels.mean,
      deviation: pixels.deviation,
      ...(precision === 'f16' && { type: precision }),
    },
    names,
  );
}
