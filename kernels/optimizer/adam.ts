import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';

/** Elements that share an entry of an optimiser's `group` table; arenas are padded to multiples of it. */
export const ARENA_BLOCK = 64;

export interface AdamProblem {
  /** Elements of the arena, a multiple of ARENA_BLOCK. */
  readonly count: number;
  /** Parameter groups in `groupSettings`. */
  readonly groups: number;
  /** True for AdamW: the decay shrinks the parameters directly. False for Adam: it is added to the gradient. */
  readonly decoupled: boolean;
}

export const ARENA_WORKGROUP_SIZE = 64;
/**
 * Vectors in a row that an invocation updates. On a GPU neighbours take neighbours; on a CPU reading the settings once
 * for several pays.
 */
const STEPS = { gpu: [1, 8], cpu: [8, 1] } as const;

/** How an optimiser iterates over an arena of `count` elements, four to a vector, what suits the adapter first. */
export function arenaLaunches(
  kernel: string,
  count: number,
  traits: AdapterTraits,
): readonly { readonly variant: string; launch(blocks: number): Pick<Dispatch, 'parameters' | 'workgroups'> }[] {
  requireWholeBlocks(kernel, count);
  return STEPS[traits.kind].map((steps) => ({
    variant: `${steps} vec4f`,
    launch(blocks) {
      const vectors = (blocks * ARENA_BLOCK) / 4;
      return { parameters: [vectors, steps], workgroups: foldGrid(ceilDivide(vectors, steps * ARENA_WORKGROUP_SIZE)) };
    },
  }));
}

/**
 * One step of Adam or AdamW over a flat arena, in place.
 *
 * `groupSettings` [groups * 4]: learning-rate multiplier, weight decay, factor of the gradients, 0. `hyper` [8]: see
 * `adamHyper`. `gate` [2] is the report of `non_finite`: where gate[0] > 0 nothing changes.
 */
export const adam: Kernel<AdamProblem> = {
  name: 'adam',
  calls: ({ count, groups, decoupled }, traits) =>
    arenaLaunches('adam', count, traits).map(({ variant, launch }) => ({
      variant,
      operands: {
        parameters: { role: 'inout', type: 'f32', length: count },
        gradients: { role: 'input', type: 'f32', length: count },
        firstMoment: { role: 'inout', type: 'f32', length: count },
        secondMoment: { role: 'inout', type: 'f32', length: count },
        group: { role: 'input', type: 'u32', length: count / ARENA_BLOCK },
        groupSettings: { role: 'input', type: 'f32', length: 4 * groups },
        hyper: { role: 'input', type: 'f32', length: 8 },
        gate: { role: 'input', type: 'u32', length: 2 },
      },
      dispatches: [
        sliceable(
          count / ARENA_BLOCK,
          {
            parameters: ARENA_BLOCK,
            gradients: ARENA_BLOCK,
            firstMoment: ARENA_BLOCK,
            secondMoment: ARENA_BLOCK,
            group: 1,
          },
          (blocks) => ({
            shader: shaders.adam,
            constants: { DECOUPLED: decoupled, WORKGROUP_SIZE: ARENA_WORKGROUP_SIZE },
            operands: [
              'parameters',
              'gradients',
              'firstMoment',
              'secondMoment',
              'group',
              'groupSettings',
              'hyper',
              'gate',
            ],
            ...launch(blocks),
          }),
        ),
      ],
    })),
  reference,
  cost: ({ count }) => ({ flop: 15 * count, bytes: 28 * count }),
  cases: [
    { count: 64, groups: 1, decoupled: false },
    { count: 64 * 37, groups: 3, decoupled: true },
    { count: 64 * 1021, groups: 2, decoupled: false },
  ],
  sampleInputs: ({ count, groups }, uniform): Values => {
    const floats = (length: number, scale: number): Float64Array =>
      Float64Array.from({ length }, () => Math.fround(scale * uniform()));
    return {
      parameters: floats(count, 1),
      gradients: floats(count, 0.1),
      firstMoment: floats(count, 0.1),
      secondMoment: floats(count, 0.01).map(Math.abs),
      group: Float64Array.from({ length: count / ARENA_BLOCK }, (_, block) => block % groups),
      groupSettings: Float64Array.from({ length: 4 * groups }, (_, i) =>
        Math.fround([1 / (1 + i), 5e-4 * i, 2 / (1 + i), 0][i % 4]),
      ),
      hyper: adamHyper({ learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, 7).map(Math.fround),
      gate: Float64Array.of(0, 0xffffffff),
    };
  },
};

export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/**
 * The `hyper` operand of step `t`: learning rate, beta1, beta2, epsilon, 1 - beta1^t, 1 - beta2^t, 1 - beta1, 1 -
 * beta2.
 * @param t the number of the step, from 1
 */
export function adamHyper({ learningRate, beta1, beta2, epsilon }: AdamSettings, t: number): Float64Array {
  return Float64Array.of(learningRate, beta1, beta2, epsilon, 1 - beta1 ** t, 1 - beta2 ** t, 1 - beta1, 1 - beta2);
}

/** @throws RangeError unless an arena of `count` elements consists of whole blocks */
export function requireWholeBlocks(kernel: string, count: number): void {
  if (count % ARENA_BLOCK !== 0) {
    throw new RangeError(
      `${kernel}: an arena of ${count} elements; pad it to a multiple of ${ARENA_BLOCK}, so that no block lies in two groups`,
    );
  }
}

function reference({ count, decoupled }: AdamProblem, inputs: Values) {
  const [learningRate, , beta2, epsilon, correction1, correction2, rest1, rest2] = inputs.hyper;
  const outputs = ['parameters', 'firstMoment', 'secondMoment'] as const;
  const [parameters, firstMoment, secondMoment] = outputs.map((name) => ({
    value: Float64Array.from(inputs[name]),
    error: new Float64Array(count),
  }));
  for (let i = 0; i < count && inputs.gate[0] === 0; i++) {
    const settings = 4 * inputs.group[Math.floor(i / ARENA_BLOCK)];
    const rate = learningRate * inputs.groupSettings[settings];
    const decay = inputs.groupSettings[settings + 1];
    const before = inputs.parameters[i];
    // Each line is followed by the bound of its rounding errors: one EPSILON an operation, inherited ones as they
    // propagate.
    const shrink = decoupled ? rate * decay * before : 0;
    const p = before - shrink;
    const pError = decoupled ? EPSILON * (3 * Math.abs(shrink) + Math.abs(p)) : 0;
    const pull = decoupled ? 0 : decay * before;
    const gradient = inputs.groupSettings[settings + 2] * inputs.gradients[i];
    const g = gradient + pull;
    const gError = EPSILON * (Math.abs(gradient) + (decoupled ? 0 : Math.abs(pull) + Math.abs(g)));
    const oldM = inputs.firstMoment[i];
    const step = rest1 * (g - oldM);
    const m = oldM + step;
    const mError = rest1 * gError + EPSILON * (2 * Math.abs(step) + Math.abs(m));
    const fresh = rest2 * g * g;
    const v = beta2 * inputs.secondMoment[i] + fresh;
    const vError =
      rest2 * 2.001 * Math.abs(g) * gError + EPSILON * (2 * fresh + beta2 * inputs.secondMoment[i] + v) + 1e-37;
    // WGSL's sqrt is 1 / inverseSqrt: 2 + 2.5 units in the last place, 2 EPSILON each; a division is 2.5 units.
    const root = Math.sqrt(v) / Math.sqrt(correction2);
    const rootError =
      Math.sqrt(vError / correction2) * Math.min(1, Math.sqrt(vError / v)) + (9 + 9 + 5) * EPSILON * root;
    const denominator = root + epsilon;
    const denominatorError = rootError + EPSILON * denominator;
    const scale = rate / correction1;
    const update = (scale * m) / denominator;
    const updateError =
      (scale * (mError + (Math.abs(m) * denominatorError) / denominator)) / (denominator - denominatorError) +
      (1 + 5 + 5 + 1) * EPSILON * Math.abs(update);
    parameters.value[i] = p - update;
    parameters.error[i] = pError + updateError + EPSILON * Math.abs(p - update);
    firstMoment.value[i] = m;
    firstMoment.error[i] = mError;
    secondMoment.value[i] = v;
    secondMoment.error[i] = vError;
  }
  return { parameters, firstMoment, secondMoment };
}
