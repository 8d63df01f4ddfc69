import {
  prepareImages as prepareKernel,
  TRANSFORM_LENGTH,
  type PrepareImagesProblem,
} from '../../../kernels/image/prepare-images.ts';
import { checkInteger, checkOptions } from '../attributes.ts';
import { apply, use, type Op } from '../op.ts';
import { input, type Tensor } from '../tensor.ts';

const op: Op<PrepareImagesProblem> = {
  name: 'prepareImages',
  infer: (_, { count, size, type }) => [{ shape: [count, size, size, 4], type }],
  lower: ({ attributes, inputs: [images, transforms], outputs: [output] }) => [
    use(prepareKernel, attributes, { images, transforms, output }),
  ],
};

/** Names of a program's inputs. */
export interface ImageInputs {
  readonly images: string;
  readonly transforms: string;
}

/**
 * Decoded images as the network wants them: warped, normalized, padded to four channels. The program gets two inputs:
 * `images`, u8 RGB [count, source, source, 3], and `transforms` [count, 12], for each image the affine map from output
 * to source pixels and the color outside, as src/data/augmentation.ts makes them.
 * @param names of the two inputs, where a program has several such pairs
 * @returns [count, size, size, 4]
 */
export function prepareImages(
  problem: PrepareImagesProblem,
  names: ImageInputs = { images: 'images', transforms: 'transforms' },
): Tensor {
  checkOptions('prepareImages', problem, ['count', 'source', 'size', 'mean', 'deviation', 'type']);
  for (const name of ['count', 'source', 'size'] as const) checkInteger('prepareImages', name, problem[name], 1);
  const images = input(names.images, [Math.ceil((problem.count * problem.source * problem.source * 3) / 4)], 'u32');
  const transforms = input(names.transforms, [problem.count, TRANSFORM_LENGTH]);
  return apply(op, [images, transforms], problem)[0];
}
