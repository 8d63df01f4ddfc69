import type { ConvolutionShape } from '../../kernels/convolution/problem.ts';
import type { Work } from './kernel-bench.ts';

function shape(
  batch: number,
  size: number,
  inputChannels: number,
  outputChannels: number,
  kernel: number,
  stride = 1,
): ConvolutionShape {
  const padding = kernel >> 1;
  return {
    batch,
    height: size,
    width: size,
    inputChannels,
    outputChannels,
    kernel: [kernel, kernel],
    stride: [stride, stride],
    padding: [padding, padding],
  };
}

/**
 * The distinct convolutions of ResNet50 (v1.5) and its classifier, a product of matrices, named by where they stand.
 */
export function resnet50Convolutions({ batch, size: imageSize }: Work): Record<string, ConvolutionShape> {
  const shapes: Record<string, ConvolutionShape> = { stem: shape(batch, imageSize, 4, 64, 7, 2) };
  let size = Math.ceil(imageSize / 4);
  let input = 64;
  [64, 128, 256, 512].forEach((middle, index) => {
    const layer = `layer${index + 1}`;
    const stride = index === 0 ? 1 : 2;
    shapes[`${layer} 1x1 first`] = shape(batch, size, input, middle, 1);
    // Layer 1 keeps the image's size, so that its shortcut is of the same shape as its `1x1 out`.
    if (stride > 1) {
      shapes[`${layer} shortcut`] = shape(batch, size, input, 4 * middle, 1, stride);
      shapes[`${layer} 3x3 stride 2`] = shape(batch, size, middle, middle, 3, stride);
    }
    size = Math.ceil(size / stride);
    shapes[`${layer} 3x3`] = shape(batch, size, middle, middle, 3);
    shapes[`${layer} 1x1 out`] = shape(batch, size, middle, 4 * middle, 1);
    shapes[`${layer} 1x1 in`] = shape(batch, size, 4 * middle, middle, 1);
    input = 4 * middle;
  });
  shapes.classifier = shape(batch, 1, input, 1000, 1);
  // Channel counts that are no multiples of four, which are padded.
  shapes['head of 659 classes'] = shape(batch, 1, 512, 659, 1);
  shapes['stem of three channels'] = shape(batch, imageSize, 3, 64, 7, 2);
  return shapes;
}
