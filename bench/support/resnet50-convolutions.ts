import type { ConvolutionShape } from '../../kernels/convolution.ts';

function shape(batch: number, size: number, inputChannels: number, outputChannels: number, kernel: number, stride = 1): ConvolutionShape {
  const padding = kernel >> 1;
  return { batch, height: size, width: size, inputChannels, outputChannels, kernel: [kernel, kernel], stride: [stride, stride], padding: [padding, padding] };
}

/** The distinct convolutions of ResNet50 (v1.5) at a batch and an image size, named by where they stand. */
export function resnet50Convolutions(batch: number, imageSize: number): Record<string, ConvolutionShape> {
  const shapes: Record<string, ConvolutionShape> = { stem: shape(batch, imageSize, 4, 64, 7, 2) };
  let size = imageSize / 4;
  let input = 64;
  [64, 128, 256, 512].forEach((middle, index) => {
    const layer = `layer${index + 1}`;
    const stride = index === 0 ? 1 : 2;
    shapes[`${layer} 1x1 first`] = shape(batch, size, input, middle, 1);
    shapes[`${layer} shortcut`] = shape(batch, size, input, 4 * middle, 1, stride);
    if (stride > 1) shapes[`${layer} 3x3 stride 2`] = shape(batch, size, middle, middle, 3, stride);
    size /= stride;
    shapes[`${layer} 3x3`] = shape(batch, size, middle, middle, 3);
    shapes[`${layer} 1x1 out`] = shape(batch, size, middle, 4 * middle, 1);
    shapes[`${layer} 1x1 in`] = shape(batch, size, 4 * middle, middle, 1);
    input = 4 * middle;
  });
  return shapes;
}
