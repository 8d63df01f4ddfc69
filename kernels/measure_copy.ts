import { ceilDivide, foldGrid } from '../src/gpu/dispatch.ts';
import { exact, type Kernel, type KernelCall } from './kernel.ts';

export interface MeasureCopyProblem {
  readonly count: number;
}

const WORKGROUP_SIZES = [64, 256];

/** The best bandwidth of a kernel that reads and writes is that of the fastest variant. source, destination [count]. Runs copy.wgsl. */
export const measureCopy: Kernel<MeasureCopyProblem> = {
  name: 'measure_copy',
  calls: ({ count }, traits) => {
    const widths = ([4, 1] as const).filter((width) => count % width === 0);
    return widths.flatMap((width) =>
      WORKGROUP_SIZES.filter((size) => size <= traits.maxWorkgroupInvocations).map((workgroupSize): KernelCall => {
        const Element = width === 1 ? 'f32' : 'vec4f';
        return {
          variant: `${Element}, ${workgroupSize} invocations`,
          operands: { source: { role: 'input', type: 'f32', length: count }, destination: { role: 'output', type: 'f32', length: count } },
          dispatches: [
            {
              shader: 'copy.wgsl',
              constants: { Element, WORKGROUP_SIZE: workgroupSize },
              parameters: [count / width, 0, 0],
              operands: ['source', 'destination'],
              workgroups: foldGrid(ceilDivide(count / width, workgroupSize), traits.maxWorkgroupsPerDimension),
            },
          ],
        };
      }),
    );
  },
  reference: (_, { source }) => ({ destination: exact(source) }),
  cost: ({ count }) => ({ flop: 0, bytes: 8 * count }),
  cases: [{ count: 1 }, { count: 6 }, { count: 257 }, { count: 70_000 }],
};
