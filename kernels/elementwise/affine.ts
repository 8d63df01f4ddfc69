import { elementBytes, widestElement } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, type Kernel, type Operand } from '../kernel.ts';
import { blockStyles, elementwiseBlocks } from '../reduction/row-blocks.ts';
import { canStore, whenStored, type StorageType } from '../contract/storage-type.ts';

export interface AffineProblem extends StorageType {
  /** N * H * W of an activation in NHWC. */
  readonly rows: number;
  readonly channels: number;
  /** Whether `residual` is added. */
  readonly residual: boolean;
  readonly relu: boolean;
}

/**
 * y = relu?(x * scale + shift (+ residual)), column by column: batch normalization with fixed statistics, as
 * `foldBatchNorm` turns them into scale and shift. x, residual, y [rows, channels]; scale, shift [channels].
 */
export const affine: Kernel<AffineProblem> = {
  name: 'affine',
  calls: (problem, traits) => {
    const { rows, channels, residual, relu, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, features } = widestElement(channels, type);
    return blockStyles(traits).map((style) => {
      const { blocks, blockLength, slice } = elementwiseBlocks(style, rows, channels);
      const matrix = { type, length: rows * channels } as const;
      const vector = { type: 'f32', length: channels } as const;
      const residualInput: Record<string, Operand> = residual ? { residual: { role: 'input', ...matrix } } : {};
      return {
        variant: `${style.name}, ${Stored}`,
        operands: {
          x: { role: 'input', ...matrix },
          scale: { role: 'input', ...vector },
          shift: { role: 'input', ...vector },
          ...residualInput,
          y: { role: 'output', ...matrix },
        },
        dispatches: [
          sliceable(blocks, { x: blockLength, residual: blockLength, y: blockLength }, (count, first) => ({
            shader: shaders.affine,
            libraries: [shaders.rowIteration],
            entryPoint: residual ? 'with_residual' : 'main',
            features,
            constants: { Element, Stored, WORKGROUP_SIZE: style.workgroupSize, RELU: relu },
            operands: ['x', 'scale', 'shift', 'y', ...(residual ? ['residual'] : [])],
            ...slice(count, first),
          })),
        ],
      };
    });
  },
  reference: (problem, { x, scale, shift, residual }) => {
    const { channels, relu } = problem;
    const y = blankExpected(x.length);
    x.forEach((element, i) => {
      const scaled = element * scale[i % channels];
      const offset = shift[i % channels];
      const added = residual?.[i] ?? 0;
      const value = scaled + offset + added;
      y.value[i] = relu ? Math.max(value, 0) : value;
      y.error[i] = 3 * EPSILON * (Math.abs(scaled) + Math.abs(offset) + Math.abs(added));
    });
    return { y: whenStored(y, problem) };
  },
  cost: ({ rows, channels, residual, type = 'f32' }) => ({
    flop: rows * channels * (residual ? 3 : 2),
    bytes: elementBytes(type) * rows * channels * (residual ? 3 : 2),
  }),
  cases: [
    { rows: 1, channels: 1, residual: false, relu: false },
    { rows: 2, channels: 5, residual: true, relu: false },
    { rows: 7, channels: 300, residual: false, relu: true },
    { rows: 2500, channels: 67, residual: true, relu: true },
    { rows: 1021, channels: 16, residual: true, relu: true },
    { rows: 4 * 8, channels: 2048, residual: false, relu: false },
    { rows: 37, channels: 20, residual: false, relu: false, type: 'f16' },
    { rows: 211, channels: 3, residual: true, relu: true, type: 'f16' },
  ],
};
