import { elementBytes, widestElement } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, exact, sumError, type Kernel, type Operand } from '../kernel.ts';
import { blockStyles, combiningBlocks, reducingBlocks, elementwiseBlocks } from '../reduction/row-blocks.ts';
import { canStore, whenStored, type StorageType } from '../contract/storage-type.ts';

export interface BatchNormGradientProblem extends StorageType {
  /** N * H * W of an activation in NHWC. */
  readonly rows: number;
  readonly channels: number;
  /** Whether a ReLU follows; then y masks dy. */
  readonly relu: boolean;
  /**
   * Whether the gradient of a residual, added before the ReLU, is wanted as dresidual. Without a ReLU it is dy itself,
   * so that dresidual is an operand only with both.
   */
  readonly residual: boolean;
}

/**
 * The gradient of batch normalization in training (Ioffe and Szegedy 2015, section 3), its ReLU and its residual: g =
 * dy where y > 0; dbeta = sum g; dgamma = sum g * xhat; dx = gamma * inverseDeviation * (g - dbeta/n - xhat *
 * dgamma/n). x, y, dy, dx, dresidual [rows, channels]; all others [channels]. xhat = (x - mean) * inverseDeviation is
 * recomputed. The inputs are read twice; with dresidual the second pass reads that in place of y and dy.
 */
export const batchNormGradient: Kernel<BatchNormGradientProblem> = {
  name: 'batch_norm_gradient',
  calls: (problem, traits) => {
    const { rows, channels, relu, residual, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, features } = widestElement(channels, type);
    return blockStyles(traits).map((style) => {
      const visiting = { Element, Stored, WORKGROUP_SIZE: style.workgroupSize };
      const reducing = { ...visiting, SHARED_ROWS: style.sharedRows };
      const blocks = reducingBlocks(style, rows, channels);
      const combination = combiningBlocks(style, blocks.blocks, channels);
      const visit = elementwiseBlocks(style, rows, channels);
      const matrix = { type, length: rows * channels } as const;
      const vector = { type: 'f32', length: channels } as const;
      const stored = relu && residual;
      const matrices = (blockLength: number): Record<string, number> => ({
        x: blockLength,
        y: blockLength,
        dy: blockLength,
        dx: blockLength,
        dresidual: blockLength,
      });
      const mask: Record<string, Operand> = relu ? { y: { role: 'input', ...matrix } } : {};
      const residualGradient: Record<string, Operand> = stored ? { dresidual: { role: 'output', ...matrix } } : {};
      return {
        variant: `${style.name}, ${Stored}`,
        operands: {
          x: { role: 'input', ...matrix },
          ...mask,
          dy: { role: 'input', ...matrix },
          gamma: { role: 'input', ...vector },
          mean: { role: 'input', ...vector },
          inverseDeviation: { role: 'input', ...vector },
          dx: { role: 'output', ...matrix },
          dgamma: { role: 'output', ...vector },
          dbeta: { role: 'output', ...vector },
          ...residualGradient,
          partials: { role: 'scratch', type: 'f32', length: 2 * blocks.blocks * channels },
          coefficients: { role: 'scratch', type: 'f32', length: 4 * channels },
        },
        dispatches: [
          sliceable(blocks.blocks, { ...matrices(blocks.blockLength), partials: 2 * channels }, (count, first) => {
            const { parameters, workgroups } = blocks.slice(count, first);
            return {
              shader: shaders.batchNormGradientSums,
              libraries: [shaders.rowBlocks],
              entryPoint: stored ? 'masked_residual' : relu ? 'masked' : 'plain',
              features,
              constants: reducing,
              parameters: [...parameters, 0],
              operands: ['x', 'dy', 'mean', 'partials', ...(relu ? ['y'] : []), ...(stored ? ['dresidual'] : [])],
              workgroups,
            };
          }),
          {
            shader: shaders.batchNormGradientSums,
            libraries: [shaders.rowBlocks],
            entryPoint: 'combine',
            constants: { ...reducing, Stored: Element },
            parameters: [...combination.parameters, rows],
            operands: ['partials', 'gamma', 'mean', 'inverseDeviation', 'dgamma', 'dbeta', 'coefficients'],
            workgroups: combination.workgroups,
          },
          sliceable(visit.blocks, matrices(visit.blockLength), (count, first) => ({
            shader: shaders.batchNormGradient,
            libraries: [shaders.rowIteration],
            entryPoint: relu && !stored ? 'masked' : 'plain',
            features,
            constants: visiting,
            operands: ['x', stored ? 'dresidual' : 'dy', 'coefficients', 'dx', ...(relu && !stored ? ['y'] : [])],
            ...visit.slice(count, first),
          })),
        ],
      };
    });
  },
  reference: (problem, { x, y, dy, gamma, mean, inverseDeviation }) => {
    const { rows, channels, relu, residual } = problem;
    const dx = blankExpected(rows * channels);
    const dgamma = blankExpected(channels);
    const dbeta = blankExpected(channels);
    const g = relu ? dy.map((gradient, i) => (y[i] > 0 ? gradient : 0)) : dy;
    for (let c = 0; c < channels; c++) {
      let gradients = 0;
      let gradientMagnitude = 0;
      let products = 0;
      let productMagnitude = 0;
      for (let i = c; i < x.length; i += channels) {
        const product = g[i] * (x[i] - mean[c]);
        gradients += g[i];
        gradientMagnitude += Math.abs(g[i]);
        products += product;
        productMagnitude += Math.abs(product);
      }
      const inverse = inverseDeviation[c];
      dbeta.value[c] = gradients;
      dbeta.error[c] = sumError(rows, gradientMagnitude);
      dgamma.value[c] = inverse * products;
      // Each product has two roundings before the sum adds its own.
      dgamma.error[c] = Math.abs(inverse) * (sumError(rows, productMagnitude) + 3 * EPSILON * productMagnitude);

      const scale = gamma[c] * inverse;
      const offset = dbeta.value[c] / rows;
      const slope = (inverse * dgamma.value[c]) / rows;
      const offsetError = dbeta.error[c] / rows;
      const slopeError = (Math.abs(inverse) * dgamma.error[c]) / rows;
      for (let i = c; i < x.length; i += channels) {
        const difference = x[i] - mean[c];
        dx.value[i] = scale * (g[i] - offset - difference * slope);
        // A division may err by 2.5 ulp, 5 EPSILON; the other roundings are one each.
        const magnitude = Math.abs(g[i]) + Math.abs(offset) + Math.abs(difference * slope);
        dx.error[i] = Math.abs(scale) * (offsetError + Math.abs(difference) * slopeError + 12 * EPSILON * magnitude);
      }
    }
    const results = { dx: whenStored(dx, problem), dgamma, dbeta };
    return relu && residual ? { ...results, dresidual: exact(g) } : results;
  },
  cost: ({ rows, channels, relu, type = 'f32' }) => ({
    flop: rows * channels * 9,
    // x and dy twice, dx once; y twice, or once and the masked gradient stored.
    bytes: elementBytes(type) * rows * channels * (relu ? 7 : 5),
  }),
  cases: [
    { rows: 1, channels: 1, relu: false, residual: false },
    { rows: 2, channels: 5, relu: true, residual: true },
    { rows: 7, channels: 300, relu: false, residual: true },
    { rows: 1021, channels: 16, relu: true, residual: true },
    { rows: 2500, channels: 67, relu: true, residual: false },
    { rows: 20011, channels: 3, relu: false, residual: false },
    { rows: 16 * 8 * 8, channels: 128, relu: true, residual: false },
    { rows: 4 * 8, channels: 2048, relu: true, residual: true },
    { rows: 1021, channels: 16, relu: true, residual: true, type: 'f16' },
    { rows: 37, channels: 20, relu: true, residual: false, type: 'f16' },
    { rows: 37, channels: 12, relu: false, residual: false, type: 'f16' },
    { rows: 211, channels: 3, relu: false, residual: true, type: 'f16' },
  ],
  sampleInputs: ({ rows, channels, relu }, uniform) => {
    const numbers = (length: number): Float64Array => Float64Array.from({ length }, uniform);
    const x = numbers(rows * channels);
    const mask: Record<string, Float64Array> = relu
      ? { y: numbers(rows * channels).map((value) => Math.max(value, 0)) }
      : {};
    return {
      x,
      ...mask,
      dy: numbers(rows * channels),
      gamma: numbers(channels),
      mean: numbers(channels),
      inverseDeviation: numbers(channels).map((value) => Math.fround(1.5 + value)),
    };
  },
};
