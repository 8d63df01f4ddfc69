import { globalAveragePool as globalAverageKernel } from '../../../kernels/pooling/global-average-pool.ts';
import { globalAveragePoolGradient as globalAverageGradientKernel } from '../../../kernels/pooling/global-average-pool-gradient.ts';
import { maxPool as maxPoolKernel, pooledSize, type MaxPoolProblem } from '../../../kernels/pooling/max-pool.ts';
import { maxPoolGradient as maxPoolGradientKernel } from '../../../kernels/pooling/max-pool-gradient.ts';
import { apply, stored, use, type GradientRule, type Op, type OpExamples } from '../op.ts';
import { checkInteger, checkOptions } from '../attributes.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

const maxPoolOp: Op<MaxPoolProblem> = {
  name: 'maxPool',
  supportsF16: true,
  infer([x], problem) {
    const shape = [
      problem.batch,
      pooledSize(problem, problem.height),
      pooledSize(problem, problem.width),
      problem.channels,
    ];
    return [
      { shape, type: x.type },
      { shape, type: 'u32', name: 'position' },
    ];
  },
  lower: ({ attributes, inputs: [x], outputs: [y, position] }) => [use(maxPoolKernel, attributes, { x, y, position })],
  gradient: 'maxPoolGradient',
};

export const maxPoolGradient: GradientRule<MaxPoolProblem> = ({ attributes, outputs: [, position] }, [dy]) => [
  dy && apply(maxPoolGradientOp, [dy, position], attributes)[0],
];

const maxPoolGradientOp: Op<MaxPoolProblem> = {
  name: 'maxPoolGradient',
  supportsF16: true,
  infer: ([dy], { batch, height, width, channels }) => [{ shape: [batch, height, width, channels], type: dy.type }],
  lower: ({ attributes, inputs: [dy, position], outputs: [dx] }) => [
    use(maxPoolGradientKernel, attributes, { dy, position, dx }),
  ],
};

/**
 * The maximum of each window, exact; NaN where one is in the window.
 * @param x [batch, height, width, channels]
 * @param options in pixels, the same for both axes: side of the window and stride, 1 or more; padding, at most half the
 * window
 */
export function maxPool(x: Tensor, options: Pick<MaxPoolProblem, 'window' | 'stride' | 'padding'>): Tensor {
  checkOptions('maxPool', options, ['window', 'stride', 'padding']);
  const { window, stride, padding } = options;
  checkInteger('maxPool', 'window', window, 1);
  checkInteger('maxPool', 'stride', stride, 1);
  checkInteger('maxPool', 'padding', padding, 0);
  const [batch, height, width, channels] = imageShape('maxPool', x);
  return apply(maxPoolOp, [x], { batch, height, width, channels, window, stride, padding, ...stored(x) })[0];
}

const globalAverageOp: Op<null> = {
  name: 'globalAveragePool',
  supportsF16: true,
  infer: ([x]) => [{ shape: [x.shape[0], x.shape[3]] }],
  lower: ({ inputs: [x], outputs: [y] }) => [use(globalAverageKernel, averageProblem(x), { x, y })],
  gradient: 'globalAveragePoolGradient',
};

export const globalAveragePoolGradient: GradientRule<null> = ({ inputs: [x] }, [dy]) => [
  dy && apply(globalAverageGradientOp, [dy], { x })[0],
];

const globalAverageGradientOp: Op<{ readonly x: Tensor }> = {
  name: 'globalAveragePoolGradient',
  infer: (_, { x }) => [{ shape: x.shape, type: x.type }],
  lower: ({ attributes: { x }, inputs: [dy], outputs: [dx] }) => [
    use(globalAverageGradientKernel, averageProblem(x), { dy, dx }),
  ],
};

const averageProblem = (x: Tensor) => {
  const [batch, height, width, channels] = x.shape;
  return { batch, pixels: height * width, channels, ...stored(x) };
};

/**
 * The mean over all pixels. Accuracy: within 2^-24 * (4 sqrt(3 b) + 7) of the mean magnitude, b the cube root of the
 * number of pixels: 3e-6 at 400 x 400.
 * @param x [batch, height, width, channels]
 * @returns [batch, channels], f32
 */
export function globalAveragePool(x: Tensor): Tensor {
  imageShape('globalAveragePool', x);
  return apply(globalAverageOp, [x], null)[0];
}

function imageShape(op: string, x: Tensor): readonly number[] {
  if (x.shape.length !== 4)
    throw new ShapeError(`${op}: ${describe(x)}; [batch, height, width, channels] was expected`);
  return x.shape;
}

export const examples: OpExamples = {
  globalAveragePool: { inputs: { x: [2, 3, 5, 6] }, apply: ({ x }) => [globalAveragePool(x)], reduction: 15 },
};
