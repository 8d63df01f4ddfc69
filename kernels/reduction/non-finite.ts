import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel, type KernelCall } from '../kernel.ts';
import { ownKindFirst } from '../select.ts';

export interface NonFiniteProblem {
  readonly count: number;
}

/** `report[1]` where every element is finite. */
export const ALL_FINITE = 0xffffffff;

/**
 * Invocations of a workgroup, and elements that each looks at; on the CPU a workgroup is one vector, as barriers are dear
 * there.
 */
const GPU_SHAPE = { workgroupSize: 256, steps: 16 } as const;
const CPU_SHAPE = { workgroupSize: 8, steps: 256 } as const;

/**
 * report [2] u32 = how many elements of values [count] are NaN or infinite, and the index of the first or ALL_FINITE.
 */
export const nonFinite: Kernel<NonFiniteProblem> = {
  name: 'non_finite',
  calls: ({ count: length }, traits) => {
    const vectors = length % 4 === 0;
    const components = vectors ? 4 : 1;
    const elements = length / components;
    const shapes = ownKindFirst<typeof GPU_SHAPE | typeof CPU_SHAPE>(traits, { gpu: [GPU_SHAPE], cpu: [CPU_SHAPE] });
    return shapes.map(({ workgroupSize, steps }): KernelCall => {
      const span = workgroupSize * steps;
      const groups = ceilDivide(elements, span);
      const constants = { Element: vectors ? 'vec4u' : 'u32', COMPONENTS: components, WORKGROUP_SIZE: workgroupSize };
      return {
        variant: `${workgroupSize} invocations of ${constants.Element}`,
        operands: {
          values: { role: 'input', type: 'f32', length },
          report: { role: 'output', type: 'u32', length: 2 },
          counts: { role: 'scratch', type: 'u32', length: groups * components },
          firsts: { role: 'scratch', type: 'u32', length: groups * components },
        },
        dispatches: [
          sliceable(groups, { values: span * components, counts: components, firsts: components }, (count, first) => ({
            shader: shaders.nonFinite,
            entryPoint: 'scan',
            constants,
            parameters: [Math.min(count * span, elements - first * span), span, first * span],
            operands: ['values', 'counts', 'firsts'],
            workgroups: foldGrid(count),
          })),
          {
            shader: shaders.nonFinite,
            entryPoint: 'combine',
            constants,
            parameters: [groups * components, span, 0],
            operands: ['counts', 'firsts', 'report'],
            workgroups: [1, 1, 1],
          },
        ],
      };
    });
  },
  reference: (_, { values }) => {
    // What float32 cannot hold becomes infinite on its way to the device.
    const special = Array.from(values, (value) => !Number.isFinite(Math.fround(value)));
    const first = special.indexOf(true);
    return { report: exact(Float64Array.of(special.filter(Boolean).length, first < 0 ? ALL_FINITE : first)) };
  },
  cost: ({ count }) => ({ flop: 0, bytes: 4 * count + 8 }),
  cases: [{ count: 1 }, { count: 7 }, { count: 2052 }, { count: 20001 }, { count: 40000 }],
  // Every case has some: none at all is a test of its own.
  sampleInputs: ({ count }, uniform) => {
    const values = Float64Array.from({ length: count }, uniform);
    for (const special of [NaN, Infinity, -Infinity, NaN, 1e39])
      values[Math.floor(((uniform() + 1) / 2) * count)] = special;
    return { values };
  },
};
