import { elementBytes, widestElement } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { sumError, type Kernel } from '../kernel.ts';
import { pooledSize, poolingLaunch, type MaxPoolProblem } from './max-pool.ts';
import { canStore, whenStored } from '../contract/storage-type.ts';

/**
 * The gradient of `maxPool`: each element of dx [batch, height, width, channels] gathers dy from the windows that
 * contain it and whose maximum it was. dy and position (u32) [batch, pooled height, pooled width, channels].
 * @throws MaxPoolShapeError as `maxPool`
 */
export const maxPoolGradient: Kernel<MaxPoolProblem> = {
  name: 'max_pool_gradient',
  calls: (problem, traits) => {
    const { batch, height, width, channels, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const image = height * width * channels;
    const pooledImage = pooledSize(problem, height) * pooledSize(problem, width) * channels;
    const pooled = batch * pooledImage;
    return [
      {
        variant: widestElement(channels, type).Stored,
        operands: {
          dy: { role: 'input', type, length: pooled },
          position: { role: 'input', type: 'u32', length: pooled },
          dx: { role: 'output', type, length: batch * image },
        },
        dispatches: [
          sliceable(batch, { dy: pooledImage, position: pooledImage, dx: image }, (images) => ({
            shader: shaders.maxPoolGradient,
            operands: ['dy', 'position', 'dx'],
            ...poolingLaunch(problem, images * height, width),
          })),
        ],
      },
    ];
  },
  reference: (problem, { dy, position }) => {
    const { batch, height, width, channels, window, stride, padding } = problem;
    const pooledHeight = pooledSize(problem, height);
    const pooledWidth = pooledSize(problem, width);
    const dx = blankExpected(batch * height * width * channels);
    const magnitudes = new Float64Array(dx.value.length);
    dy.forEach((gradient, i) => {
      const c = i % channels;
      const ow = Math.floor(i / channels) % pooledWidth;
      const oh = Math.floor(i / (channels * pooledWidth)) % pooledHeight;
      const n = Math.floor(i / (channels * pooledWidth * pooledHeight));
      const h = oh * stride - padding + Math.floor(position[i] / window);
      const w = ow * stride - padding + (position[i] % window);
      const place = ((n * height + h) * width + w) * channels + c;
      dx.value[place] += gradient;
      magnitudes[place] += Math.abs(gradient);
    });
    const windows = Math.ceil(window / stride) ** 2;
    dx.error.set(magnitudes.map((magnitude) => sumError(windows, magnitude)));
    return { dx: whenStored(dx, problem) };
  },
  cost: (problem) => {
    const { batch, height, width, channels, window, stride, type = 'f32' } = problem;
    const pooled = batch * pooledSize(problem, height) * pooledSize(problem, width) * channels;
    const elements = batch * height * width * channels;
    return {
      flop: elements * Math.ceil(window / stride) ** 2,
      bytes: elementBytes(type) * (elements + pooled) + 4 * pooled,
    };
  },
  cases: [
    { batch: 1, height: 1, width: 1, channels: 1, window: 1, stride: 1, padding: 0 },
    { batch: 2, height: 7, width: 5, channels: 3, window: 3, stride: 2, padding: 1 },
    { batch: 3, height: 8, width: 11, channels: 12, window: 2, stride: 2, padding: 0 },
    { batch: 1, height: 9, width: 10, channels: 4, window: 5, stride: 1, padding: 2 },
    { batch: 1, height: 9, width: 8, channels: 5, window: 2, stride: 3, padding: 1 },
    { batch: 2, height: 32, width: 32, channels: 16, window: 3, stride: 2, padding: 1 },
    { batch: 1, height: 9, width: 7, channels: 3, window: 3, stride: 2, padding: 1, type: 'f16' },
    { batch: 2, height: 8, width: 7, channels: 12, window: 3, stride: 2, padding: 1, type: 'f16' },
  ],
  sampleInputs: (problem, uniform) => {
    const { batch, height, width, channels, window, stride, padding } = problem;
    const pooledHeight = pooledSize(problem, height);
    const pooledWidth = pooledSize(problem, width);
    const dy = Float64Array.from({ length: batch * pooledHeight * pooledWidth * channels }, uniform);
    // A random pixel of the part of each window that lies in the picture.
    const inside = (start: number, size: number): number => {
      const first = Math.max(0, padding - start);
      const end = Math.min(window, size + padding - start);
      return first + Math.floor(((uniform() + 1) / 2) * (end - first));
    };
    const position = dy.map((_, i) => {
      const ow = Math.floor(i / channels) % pooledWidth;
      const oh = Math.floor(i / (channels * pooledWidth)) % pooledHeight;
      return inside(oh * stride, height) * window + inside(ow * stride, width);
    });
    return { dy, position };
  },
};
