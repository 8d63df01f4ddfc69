import type { Dispatch } from '../contract/dispatch.ts';
import { elementBytes, widestElement } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, type Kernel, type Operand } from '../kernel.ts';
import { blockStyles, elementwiseBlocks, type BlockStyle } from '../reduction/row-blocks.ts';
import { canStore, whenStored, type StorageType } from '../contract/storage-type.ts';

export interface NormalizeProblem extends StorageType {
  /** N * H * W of an activation in NHWC. */
  readonly rows: number;
  readonly channels: number;
  /** Whether `residual` is added after the normalization. */
  readonly residual: boolean;
  readonly relu: boolean;
}

/** The last pass of batch normalization, also as `batch_norm` runs it. */
export function normalizeDispatch(
  style: BlockStyle,
  { rows, channels, residual, relu, type }: NormalizeProblem,
): Dispatch {
  const { Element, Stored, features } = widestElement(channels, type);
  const visit = elementwiseBlocks(style, rows, channels);
  return sliceable(
    visit.blocks,
    { x: visit.blockLength, residual: visit.blockLength, y: visit.blockLength },
    (count, first) => ({
      shader: shaders.normalize,
      libraries: [shaders.rowIteration],
      entryPoint: residual ? 'with_residual' : 'main',
      features,
      constants: { Element, Stored, WORKGROUP_SIZE: style.workgroupSize, RELU: relu },
      operands: ['x', 'gamma', 'beta', 'mean', 'inverseDeviation', 'y', ...(residual ? ['residual'] : [])],
      ...visit.slice(count, first),
    }),
  );
}

/**
 * y = relu?(gamma * (x - mean) * inverseDeviation + beta (+ residual)): batch normalization whose statistics are there
 * already. x, residual, y [rows, channels]; all others [channels].
 */
export const normalize: Kernel<NormalizeProblem> = {
  name: 'normalize',
  calls: (problem, traits) => {
    if (!canStore(problem, traits)) return [];
    const matrix = { type: problem.type ?? 'f32', length: problem.rows * problem.channels } as const;
    const vector: Operand = { role: 'input', type: 'f32', length: problem.channels };
    const residualInput: Record<string, Operand> = problem.residual ? { residual: { role: 'input', ...matrix } } : {};
    return blockStyles(traits).map((style) => ({
      variant: `${style.name}, ${widestElement(problem.channels, problem.type).Stored}`,
      operands: {
        x: { role: 'input', ...matrix },
        gamma: vector,
        beta: vector,
        mean: vector,
        inverseDeviation: vector,
        ...residualInput,
        y: { role: 'output', ...matrix },
      },
      dispatches: [normalizeDispatch(style, problem)],
    }));
  },
  reference: (problem, { x, gamma, beta, mean, inverseDeviation, residual }) => {
    const { channels, relu } = problem;
    const y = blankExpected(x.length);
    for (let i = 0; i < x.length; i++) {
      const c = i % channels;
      const normalized = gamma[c] * (x[i] - mean[c]) * inverseDeviation[c];
      const added = residual?.[i] ?? 0;
      const value = normalized + beta[c] + added;
      y.value[i] = relu ? Math.max(value, 0) : value;
      y.error[i] = 6 * EPSILON * (Math.abs(normalized) + Math.abs(beta[c]) + Math.abs(added)) + 1e-37;
    }
    return { y: whenStored(y, problem) };
  },
  // A subtraction, a product, a sum and what follows.
  cost: ({ rows, channels, residual, type = 'f32' }) => ({
    flop: rows * channels * (residual ? 5 : 4),
    bytes: elementBytes(type) * rows * channels * (residual ? 3 : 2),
  }),
  cases: [
    { rows: 1, channels: 1, residual: false, relu: false },
    { rows: 2, channels: 5, residual: true, relu: false },
    { rows: 7, channels: 300, residual: true, relu: true },
    { rows: 1021, channels: 16, residual: false, relu: true },
    { rows: 37, channels: 20, residual: false, relu: false },
    { rows: 211, channels: 67, residual: true, relu: true },
    { rows: 211, channels: 3, residual: false, relu: true },
    { rows: 32, channels: 2048, residual: true, relu: false },
    { rows: 37, channels: 20, residual: false, relu: false, type: 'f16' },
    { rows: 211, channels: 3, residual: true, relu: true, type: 'f16' },
  ],
};
