import { f32, type Dispatch } from '../contract/dispatch.ts';
import { widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, sumError, type Kernel, type Operand } from '../kernel.ts';
import { ownKindFirst } from '../select.ts';

export interface ReduceSumProblem {
  readonly count: number;
  /** The sum is multiplied by it: 1 / count gives the mean. */
  readonly factor: number;
}

/** Dispatches, with the scratch operands that they pass partial sums through. */
interface Summation {
  readonly scratch: Readonly<Record<string, Operand>>;
  readonly dispatches: readonly Dispatch[];
}

/** Invocations of a workgroup, and how many elements each adds one after the other; by what suits a kind of adapter. */
const SHAPES = {
  gpu: { workgroupSize: 256, steps: 16 },
  // A workgroup is one vector there, since each barrier costs as much as many loads.
  cpu: { workgroupSize: 8, steps: 128 },
} as const;

type AdapterKind = keyof typeof SHAPES;

/** The adapter's own kind first: variants of a sum, all of which run anywhere. */
export const kindsOfSum = (kind: AdapterKind): readonly AdapterKind[] =>
  ownKindFirst({ kind }, { gpu: ['gpu'], cpu: ['cpu'] });

/** What the variant for a kind is called. */
export const nameOfSum = (kind: AdapterKind): string =>
  `${SHAPES[kind].workgroupSize} invocations x ${SHAPES[kind].steps}`;

/**
 * The dispatches that sum an operand, or the products of two, in a fixed order.
 *
 * Each invocation adds a few values and each level multiplies the reach, so that rounding errors grow with the logarithm of
 * the length, as in a pairwise sum.
 * @param sources one operand of `count` elements to sum, or two to multiply first
 * @param target the operand of one element that gets factor * sum
 * @param kind the kind of adapter to be shaped for
 */
export function summation(
  sources: readonly [string] | readonly [string, string],
  count: number,
  target: string,
  factor: number,
  kind: AdapterKind,
): Summation {
  const { workgroupSize, steps } = SHAPES[kind];
  const span = workgroupSize * steps;
  const scratch: Record<string, Operand> = {};
  const dispatches: Dispatch[] = [];
  let from: readonly string[] = sources;
  let length = count;
  for (;;) {
    const last = length <= span;
    // Only scalars end in a single number.
    const { Element, components, elements } = last
      ? { Element: 'f32', components: 1, elements: length }
      : widestElement(length);
    const groups = ceilDivide(elements, span);
    const next = groups * components;
    const to = last ? target : `partial${dispatches.length}`;
    if (!last) scratch[to] = { role: 'scratch', type: 'f32', length: next };
    const operands = [...from, to];
    const spans = Object.fromEntries(from.map((name) => [name, span * components]));
    dispatches.push(
      sliceable(groups, { ...spans, [to]: components }, (count, first) => ({
        shader: shaders.reduceSum,
        entryPoint: operands.length === 3 ? 'sumProducts' : 'sumValues',
        constants: { Element, WORKGROUP_SIZE: workgroupSize },
        parameters: [Math.min(count * span, elements - first * span), span, f32(last ? factor : 1)],
        operands,
        workgroups: foldGrid(count),
      })),
    );
    if (last) return { scratch, dispatches };
    from = [to];
    length = next;
  }
}

/** sum [1] = factor * (values[0] + ... + values[count - 1]). */
export const reduceSum: Kernel<ReduceSumProblem> = {
  name: 'reduce_sum',
  calls: ({ count, factor }, traits) =>
    kindsOfSum(traits.kind).map((kind) => {
      const { scratch, dispatches } = summation(['values'], count, 'sum', factor, kind);
      return {
        variant: nameOfSum(kind),
        operands: {
          values: { role: 'input', type: 'f32', length: count },
          sum: { role: 'output', type: 'f32', length: 1 },
          ...scratch,
        },
        dispatches,
      };
    }),
  reference: ({ count, factor }, { values }) => {
    const sum = factor * values.reduce((total, value) => total + value, 0);
    const magnitude = Math.abs(factor) * values.reduce((total, value) => total + Math.abs(value), 0);
    // The factor is rounded to float32, and so is its product.
    const error = sumError(count, magnitude) + 2 * EPSILON * Math.abs(sum);
    return { sum: { value: Float64Array.of(sum), error: Float64Array.of(error) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 4 * count + 4 }),
  cases: [
    { count: 1, factor: 1 },
    { count: 7, factor: -2 },
    { count: 1025, factor: 1 / 1025 },
    { count: 4100, factor: 1 },
    { count: 131072, factor: 1 / 131072 },
    { count: 500009, factor: 1 },
  ],
};
