import { elementCount, type Shape } from '../autodiff/tensor.ts';

/** How a tensor is laid out in files, which follow PyTorch, and on the device. */
export type Layout =
  /** Files [outputs, inputs, height, width]; device [height, width, inputs padded to a multiple of 4, outputs]. */
  | { readonly kind: 'convolution'; readonly fileShape: Shape }
  /** Files [outputs, inputs]; device [inputs, outputs]. */
  | { readonly kind: 'linear'; readonly fileShape: Shape }
  /** The same in files and on the device: vectors, and tables whose rows are used one by one. */
  | { readonly kind: 'vector'; readonly fileShape: Shape };

/** Channels on the device: a multiple of four, so that a pixel is whole vectors; three colors become four. */
export const paddedChannels = (channels: number): number => Math.ceil(channels / 4) * 4;

/** A tensor's values from a file's layout to the device's. */
export function toDevice({ kind, fileShape }: Layout, values: Float32Array): Float32Array {
  if (kind === 'vector') return values;
  const [outputs, inputs, height = 1, width = 1] = fileShape;
  const channels = kind === 'convolution' ? paddedChannels(inputs) : inputs;
  const result = new Float32Array(height * width * channels * outputs);
  forEachWeight([outputs, inputs, height, width], channels, (file, device) => (result[device] = values[file]));
  return result;
}

/** A tensor's values from the device's layout to a file's. */
export function toFile({ kind, fileShape }: Layout, values: Float32Array): Float32Array {
  if (kind === 'vector') return values;
  const [outputs, inputs, height = 1, width = 1] = fileShape;
  const channels = kind === 'convolution' ? paddedChannels(inputs) : inputs;
  const result = new Float32Array(elementCount(fileShape));
  forEachWeight([outputs, inputs, height, width], channels, (file, device) => (result[file] = values[device]));
  return result;
}

function forEachWeight(
  [outputs, inputs, height, width]: readonly [number, number, number, number],
  channels: number,
  visit: (file: number, device: number) => void,
): void {
  let file = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++) visit(file++, ((h * width + w) * channels + i) * outputs + o);
}
