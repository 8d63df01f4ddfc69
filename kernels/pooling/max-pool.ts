import type { Dispatch } from '../contract/dispatch.ts';
import { elementBytes, widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel } from '../kernel.ts';
import { canStore, type StorageType } from '../contract/storage-type.ts';

/** The sizes of a max pooling over [batch, height, width, channels]. */
export interface MaxPoolProblem extends StorageType {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /**
   * Pixels of a side of the window, from one window to the next, and around the picture: the same in both directions.
   */
  readonly window: number;
  readonly stride: number;
  readonly padding: number;
}

/** A max pool whose windows do not fit its picture. */
export class MaxPoolShapeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MaxPoolShapeError';
  }
}

const WORKGROUP_SIZE = 64;

/**
 * Max pooling in NHWC: y [batch, pooled height, pooled width, channels] from x [batch, height, width, channels].
 * `position` (u32, as y) is the index ky * window + kx of the maximum in its window. The choice is PyTorch's: the first
 * of equal maxima; NaN before every number, and the last NaN before the others.
 * @throws MaxPoolShapeError for a padding above half the window, which would allow windows without a pixel, and for a
 * padded picture smaller than the window
 */
export const maxPool: Kernel<MaxPoolProblem> = {
  name: 'max_pool',
  calls: (problem, traits) => {
    const { batch, height, width, channels, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const pooledHeight = pooledSize(problem, height);
    const pooledWidth = pooledSize(problem, width);
    const image = height * width * channels;
    const pooledImage = pooledHeight * pooledWidth * channels;
    const pooled = batch * pooledImage;
    return [
      {
        variant: widestElement(channels, type).Stored,
        operands: {
          x: { role: 'input', type, length: batch * image },
          y: { role: 'output', type, length: pooled },
          position: { role: 'output', type: 'u32', length: pooled },
        },
        dispatches: [
          sliceable(batch, { x: image, y: pooledImage, position: pooledImage }, (images) => ({
            shader: shaders.maxPool,
            operands: ['x', 'y', 'position'],
            ...poolingLaunch(problem, images * pooledHeight, pooledWidth),
          })),
        ],
      },
    ];
  },
  reference: (problem, { x }) => {
    const { batch, height, width, channels, window, stride, padding } = problem;
    const pooledHeight = pooledSize(problem, height);
    const pooledWidth = pooledSize(problem, width);
    const y = new Float64Array(batch * pooledHeight * pooledWidth * channels);
    const position = new Float64Array(y.length);
    for (let i = 0; i < y.length; i++) {
      const c = i % channels;
      const ow = Math.floor(i / channels) % pooledWidth;
      const oh = Math.floor(i / (channels * pooledWidth)) % pooledHeight;
      const n = Math.floor(i / (channels * pooledWidth * pooledHeight));
      let chosen = -1;
      for (let k = 0; k < window * window; k++) {
        const h = oh * stride - padding + Math.floor(k / window);
        const w = ow * stride - padding + (k % window);
        if (h < 0 || h >= height || w < 0 || w >= width) continue;
        const value = x[((n * height + h) * width + w) * channels + c];
        if (chosen < 0 || value > y[i] || Number.isNaN(value)) {
          chosen = k;
          y[i] = value;
        }
      }
      position[i] = chosen;
    }
    return { y: exact(y), position: exact(position) };
  },
  cost: (problem) => {
    const { batch, height, width, channels, window, type = 'f32' } = problem;
    const pooled = batch * pooledSize(problem, height) * pooledSize(problem, width) * channels;
    return {
      flop: pooled * window ** 2,
      bytes: elementBytes(type) * (batch * height * width * channels + pooled) + 4 * pooled,
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
  sampleInputs: ({ batch, height, width, channels }, uniform) => ({
    // Few distinct values, so that many windows have several equal maxima.
    x: Float64Array.from({ length: batch * height * width * channels }, () => Math.round(3 * uniform())),
  }),
};

/** Pixels of one side after pooling. */
export function pooledSize({ window, stride, padding }: MaxPoolProblem, size: number): number {
  if (2 * padding > window) {
    throw new MaxPoolShapeError(
      `max pool: padding ${padding} is more than half the window ${window}; use at most ${Math.floor(window / 2)}.`,
    );
  }
  if (size + 2 * padding < window) {
    throw new MaxPoolShapeError(
      `max pool: ${size} pixels with padding ${padding} on both sides are fewer than the window's ${window}; use larger pictures or a smaller window.`,
    );
  }
  return Math.floor((size + 2 * padding - window) / stride) + 1;
}

/** What the launches of max pooling and its gradient share; both write `rows` rows of `width` pixels. */
export function poolingLaunch(
  problem: MaxPoolProblem,
  rows: number,
  width: number,
): Pick<Dispatch, 'features' | 'constants' | 'parameters' | 'workgroups'> {
  const { window, stride, padding } = problem;
  const { Element, Stored, elements: columns, features } = widestElement(problem.channels, problem.type);
  const [gridRows, grids] = foldGrid(rows);
  return {
    features,
    constants: {
      Element,
      Stored,
      Index: Element === 'f32' ? 'u32' : 'vec4u',
      WORKGROUP_SIZE,
      WINDOW: window,
      STRIDE: stride,
      PADDING: padding,
    },
    parameters: [
      problem.height,
      problem.width,
      columns,
      pooledSize(problem, problem.height),
      pooledSize(problem, problem.width),
      rows,
    ],
    workgroups: [ceilDivide(width * columns, WORKGROUP_SIZE), gridRows, grids],
  };
}
