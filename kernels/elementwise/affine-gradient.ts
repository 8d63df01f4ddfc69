import type { Dispatch } from '../contract/dispatch.ts';
import { elementBytes, widestElement } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { addBlocks } from '../reduction/column-sum.ts';
import { EPSILON, exact, sumError, type Expected, type Kernel, type Operand } from '../kernel.ts';
import { blockStyles, reducingBlocks, elementwiseBlocks } from '../reduction/row-blocks.ts';
import { canStore, whenStored, type StorageType } from '../contract/storage-type.ts';

export interface AffineGradientProblem extends StorageType {
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
  /** Whether dscale and dshift are wanted; then x is an input. */
  readonly parameterGradients: boolean;
}

/**
 * The gradient of `affine`: g = dy where y > 0; dx = g * scale, dresidual = g, dscale = sum g * x, dshift = sum g.
 * x, y, dy, dx, dresidual [rows, channels]; scale, dscale, dshift [channels].
 */
export const affineGradient: Kernel<AffineGradientProblem> = {
  name: 'affine_gradient',
  calls: (problem, traits) => {
    const { rows, channels, relu, residual, parameterGradients, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, features } = widestElement(channels, type);
    return blockStyles(traits).map((style) => {
      const visiting = { Element, Stored, WORKGROUP_SIZE: style.workgroupSize };
      const blocks = reducingBlocks(style, rows, channels);
      const visit = elementwiseBlocks(style, rows, channels);
      const matrix = { type, length: rows * channels } as const;
      const vector = { type: 'f32', length: channels } as const;
      const partials = { role: 'scratch', type: 'f32', length: blocks.blocks * channels } as const;
      const stored = relu && residual;
      const matrices = (blockLength: number): Record<string, number> => ({
        x: blockLength,
        y: blockLength,
        dy: blockLength,
        dx: blockLength,
        dresidual: blockLength,
      });

      const operands: Record<string, Operand> = { dy: { role: 'input', ...matrix } };
      if (relu) operands.y = { role: 'input', ...matrix };
      operands.scale = { role: 'input', ...vector };
      operands.dx = { role: 'output', ...matrix };
      if (stored) operands.dresidual = { role: 'output', ...matrix };
      const dispatches: Dispatch[] = [
        sliceable(visit.blocks, matrices(visit.blockLength), (count, first) => ({
          shader: shaders.affineGradient,
          libraries: [shaders.rowIteration],
          entryPoint: stored ? 'masked_residual' : relu ? 'masked' : 'plain',
          features,
          constants: visiting,
          operands: ['dy', 'scale', 'dx', ...(relu ? ['y'] : []), ...(stored ? ['dresidual'] : [])],
          ...visit.slice(count, first),
        })),
      ];
      if (parameterGradients) {
        operands.x = { role: 'input', ...matrix };
        operands.dscale = { role: 'output', ...vector };
        operands.dshift = { role: 'output', ...vector };
        operands.scaleSums = partials;
        operands.shiftSums = partials;
        dispatches.push(
          sliceable(
            blocks.blocks,
            { ...matrices(blocks.blockLength), scaleSums: channels, shiftSums: channels },
            (count, first) => ({
              shader: shaders.affineGradientSums,
              libraries: [shaders.rowBlocks],
              entryPoint: relu && !stored ? 'masked' : 'plain',
              features,
              constants: { ...visiting, SHARED_ROWS: style.sharedRows },
              operands: ['x', stored ? 'dresidual' : 'dy', 'scaleSums', 'shiftSums', ...(relu && !stored ? ['y'] : [])],
              ...blocks.slice(count, first),
            }),
          ),
          addBlocks(style, blocks.blocks, channels, 'scaleSums', 'dscale'),
          addBlocks(style, blocks.blocks, channels, 'shiftSums', 'dshift'),
        );
      }
      return { variant: `${style.name}, ${Stored}`, operands, dispatches };
    });
  },
  reference: (problem, { dy, y, scale, x }) => {
    const { rows, channels, relu, residual, parameterGradients } = problem;
    const g = relu ? dy.map((gradient, i) => (y[i] > 0 ? gradient : 0)) : dy;
    const dx = g.map((gradient, i) => gradient * scale[i % channels]);
    const results: Record<string, Expected> = {
      dx: whenStored({ value: dx, error: dx.map((gradient) => EPSILON * Math.abs(gradient)) }, problem),
    };
    if (relu && residual) results.dresidual = exact(g);
    if (parameterGradients) {
      results.dscale = columnSums(
        rows,
        g.map((gradient, i) => gradient * x[i]),
        channels,
      );
      results.dshift = columnSums(rows, g, channels);
    }
    return results;
  },
  cost: ({ rows, channels, relu, residual, parameterGradients, type = 'f32' }) => {
    const read = relu ? 2 : 1;
    const written = relu && residual ? 2 : 1;
    const forSums = parameterGradients ? 1 + (relu && residual ? 1 : read) : 0;
    return {
      flop: rows * channels * (parameterGradients ? 4 : 1),
      bytes: elementBytes(type) * rows * channels * (read + written + forSums),
    };
  },
  cases: [
    { rows: 1, channels: 1, relu: false, residual: false, parameterGradients: true },
    { rows: 2, channels: 5, relu: true, residual: true, parameterGradients: true },
    { rows: 7, channels: 300, relu: true, residual: false, parameterGradients: true },
    { rows: 1021, channels: 16, relu: false, residual: true, parameterGradients: true },
    { rows: 2500, channels: 67, relu: true, residual: true, parameterGradients: false },
    { rows: 4 * 8, channels: 2048, relu: true, residual: true, parameterGradients: true },
    { rows: 37, channels: 20, relu: true, residual: false, parameterGradients: true, type: 'f16' },
    { rows: 211, channels: 3, relu: true, residual: true, parameterGradients: true, type: 'f16' },
  ],
};

function columnSums(rows: number, terms: Float64Array, channels: number): Expected {
  const value = new Float64Array(channels);
  const magnitudes = new Float64Array(channels);
  terms.forEach((term, i) => {
    value[i % channels] += term;
    magnitudes[i % channels] += Math.abs(term);
  });
  return { value, error: magnitudes.map((magnitude) => sumError(rows, magnitude)) };
}
