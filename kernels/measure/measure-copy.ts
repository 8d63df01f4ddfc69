import { widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel, type KernelCall } from '../kernel.ts';

export interface MeasureCopyProblem {
  readonly count: number;
}

/**
 * Elements of an invocation: one, as GPUs like it, or several, where an invocation itself costs something. Sixteen are
 * no faster than four on lavapipe and SwiftShader.
 */
const EACH = [1, 4];
const WORKGROUP_SIZES = [64, 256];

/** The best bandwidth of a kernel that reads and writes is that of the fastest variant. source, destination [count]. */
export const measureCopy: Kernel<MeasureCopyProblem> = {
  name: 'measure_copy',
  calls: ({ count }, traits) => {
    const { Element, elements } = widestElement(count);
    return EACH.flatMap((each) =>
      WORKGROUP_SIZES.filter((size) => size <= traits.maxWorkgroupInvocations).map((workgroupSize): KernelCall => ({
        variant: `${Element} x ${each}, ${workgroupSize} invocations`,
        operands: {
          source: { role: 'input', type: 'f32', length: count },
          destination: { role: 'output', type: 'f32', length: count },
        },
        dispatches: [
          {
            shader: shaders.measureCopy,
            constants: { Element, EACH: each, WORKGROUP_SIZE: workgroupSize },
            parameters: [elements],
            operands: ['source', 'destination'],
            workgroups: foldGrid(ceilDivide(elements, each * workgroupSize), traits.maxWorkgroupsPerDimension),
          },
        ],
      })),
    );
  },
  reference: (_, { source }) => ({ destination: exact(source) }),
  cost: ({ count }) => ({ flop: 0, bytes: 8 * count }),
  cases: [{ count: 1 }, { count: 6 }, { count: 257 }, { count: 70_000 }],
};
