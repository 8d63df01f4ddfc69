import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
import { ARENA_BLOCK, arenaCalls, sampleArena, type ArenaProblem } from './arena.ts';

export interface AdamProblem extends ArenaProblem {
  /** True for AdamW: the decay shrinks the parameters directly. False for Adam: it is added to the gradient. */
  readonly decoupled: boolean;
}

/** One step of Adam or AdamW over a flat arena, in place. `hyper` is `adamHyper`'s; for the other operands see `arenaCalls`. */
export const adam: Kernel<AdamProblem> = {
  name: 'adam',
  calls: ({ decoupled, ...arena }, traits) =>
    arenaCalls(
      {
        name: 'adam',
        shader: shaders.adam,
        constants: { DECOUPLED: decoupled },
        state: ['firstMoment', 'secondMoment'],
        hyperLength: 8,
      },
      arena,
      traits,
    ),
  reference,
  cost: ({ count }) => ({ flop: 15 * count, bytes: 28 * count }),
  cases: [
    { count: 64, groups: 1, decoupled: false },
    { count: 64 * 37, groups: 3, decoupled: true },
    { count: 64 * 1021, groups: 2, decoupled: false },
  ],
  sampleInputs: (problem, uniform): Values => ({
    ...sampleArena(problem, uniform, (floats) => ({
      firstMoment: floats(0.1),
      secondMoment: floats(0.01).map(Math.abs),
    })),
    hyper: adamHyper({ learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, 7).map(Math.fround),
  }),
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
