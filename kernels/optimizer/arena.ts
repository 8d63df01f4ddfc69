/** What optimizers share whose update goes element by element through a flat arena of parameters. */
import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import type { Shader } from '../../shaders/shader.ts';
import type { KernelCall, Operand, Values } from '../kernel.ts';

/** Elements that share an entry of an optimizer's `group` table; arenas are padded to multiples of it. */
export const ARENA_BLOCK = 64;

/** Sizes of an arena. */
export interface ArenaProblem {
  /** Elements of the arena, a multiple of ARENA_BLOCK. */
  readonly count: number;
  /** Parameter groups in `groupSettings`. */
  readonly groups: number;
}

const WORKGROUP_SIZE = 64;
/**
 * Consecutive vectors that an invocation updates. On a GPU neighbors take neighbors; on a CPU reading the settings once
 * for several pays.
 */
const STEPS = { gpu: [1, 8], cpu: [8, 1] } as const;

/**
 * The variants of an update, what suits the adapter first. The operands are `parameters`, `gradients`, those of the
 * state, and
 *
 * - `group` u32 [count / ARENA_BLOCK]: the parameter group of each block of elements
 * - `groupSettings` [groups * 4]: multiplier of the learning rate, weight decay, factor of the gradients, 0
 * - `hyper` [hyperLength]: the numbers of a step
 * - `gate` u32 [2]: the report of `non_finite`: where gate[0] > 0 nothing changes
 *
 * The shader begins its uniform block with the number of vectors and the steps of an invocation.
 * @param kernel.state names of the stores of the optimizer's state
 * @throws RangeError unless the arena consists of whole blocks
 */
export function arenaCalls(
  kernel: {
    readonly name: string;
    readonly shader: Shader;
    readonly constants?: Dispatch['constants'];
    readonly state: readonly string[];
    readonly hyperLength: number;
  },
  { count, groups }: ArenaProblem,
  { kind }: AdapterTraits,
): KernelCall[] {
  requireWholeBlocks(kernel.name, count);
  const floats = (role: Operand['role']): Operand => ({ role, type: 'f32', length: count });
  const operands: Record<string, Operand> = {
    parameters: floats('inout'),
    gradients: floats('input'),
    ...Object.fromEntries(kernel.state.map((name) => [name, floats('inout')])),
    group: { role: 'input', type: 'u32', length: count / ARENA_BLOCK },
    groupSettings: { role: 'input', type: 'f32', length: 4 * groups },
    hyper: { role: 'input', type: 'f32', length: kernel.hyperLength },
    gate: { role: 'input', type: 'u32', length: 2 },
  };
  const arenas = ['parameters', 'gradients', ...kernel.state].map((name): [string, number] => [name, ARENA_BLOCK]);
  return STEPS[kind].map((steps) => ({
    variant: `${steps} vec4f`,
    operands,
    dispatches: [
      sliceable(count / ARENA_BLOCK, { ...Object.fromEntries(arenas), group: 1 }, (blocks) => {
        const vectors = (blocks * ARENA_BLOCK) / 4;
        return {
          shader: kernel.shader,
          constants: { ...kernel.constants, WORKGROUP_SIZE },
          operands: Object.keys(operands),
          parameters: [vectors, steps],
          workgroups: foldGrid(ceilDivide(vectors, steps * WORKGROUP_SIZE)),
        };
      }),
    ],
  }));
}

/** @throws RangeError unless an arena of `count` elements consists of whole blocks */
export function requireWholeBlocks(kernel: string, count: number): void {
  if (count % ARENA_BLOCK !== 0) {
    throw new RangeError(
      `${kernel}: an arena of ${count} elements; pad it to a multiple of ${ARENA_BLOCK}, so that no block lies in two groups`,
    );
  }
}

/** Random numbers of a length, for sample inputs. */
export const sampleFloats = (length: number, scale: number, uniform: () => number): Float64Array =>
  Float64Array.from({ length }, () => Math.fround(scale * uniform()));

/** Settings of groups that differ, for sample inputs. */
export const sampleGroupSettings = (groups: number): Float64Array =>
  Float64Array.from({ length: 4 * groups }, (_, i) => Math.fround([1 / (1 + i), 5e-4 * i, 2 / (1 + i), 0][i % 4]));

/** Sample inputs, except `hyper` and the state; `state` makes the stores of the state. */
export function sampleArena(
  { count, groups }: ArenaProblem,
  uniform: () => number,
  state: (floats: (scale: number) => Float64Array) => Values,
): Values {
  const floats = (scale: number): Float64Array => sampleFloats(count, scale, uniform);
  return {
    parameters: floats(1),
    gradients: floats(0.1),
    ...state(floats),
    group: Float64Array.from({ length: count / ARENA_BLOCK }, (_, block) => block % groups),
    groupSettings: sampleGroupSettings(groups),
    gate: Float64Array.of(0, 0xffffffff),
  };
}
