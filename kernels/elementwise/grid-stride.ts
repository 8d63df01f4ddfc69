import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Dispatch, Word } from '../contract/dispatch.ts';
import { widestElement, type FloatType, type WidestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { ownKindFirst } from '../select.ts';

/**
 * Invocations of a workgroup, and elements that each visits. On a CPU a workgroup is one vector that runs through memory: to
 * start it is dear, and several vectors that alternate would each leave gaps, which the processor's prefetching does
 * not like.
 */
const GPU_SHAPE = { workgroupSize: 64, steps: 1 } as const;
const CPU_SHAPE = { workgroupSize: 8, steps: 64 } as const;

/**
 * A way through numbers in a row. The shader's parameters begin with the elements of a launch and those of a workgroup.
 */
export interface GridStrideLoop extends Pick<WidestElement, 'Stored' | 'components' | 'elements' | 'features'> {
  readonly variant: string;
  readonly constants: NonNullable<Dispatch['constants']>;
  launch(elements: number, ...others: readonly Word[]): Pick<Dispatch, 'parameters' | 'workgroups'>;
}

/**
 * The ways of an element-wise kernel through `count` numbers, what suits the adapter first.
 * @param row a divisor of `count`: no vector reaches from one row into the next
 */
export function gridStrideLoops(
  count: number,
  traits: AdapterTraits,
  type: FloatType = 'f32',
  row = count,
): readonly GridStrideLoop[] {
  const { Element, ...ofRow } = widestElement(row, type);
  const widest = { ...ofRow, elements: count / ofRow.components };
  return ownKindFirst<typeof GPU_SHAPE | typeof CPU_SHAPE>(traits, { gpu: [GPU_SHAPE], cpu: [CPU_SHAPE] }).map(
    ({ workgroupSize, steps }) => ({
      ...widest,
      variant: `${workgroupSize} invocations of ${steps} ${widest.Stored}`,
      constants: { Element, WORKGROUP_SIZE: workgroupSize },
      launch: (launched, ...others) => ({
        parameters: [launched, steps * workgroupSize, ...others],
        workgroups: foldGrid(ceilDivide(launched, steps * workgroupSize)),
      }),
    }),
  );
}
