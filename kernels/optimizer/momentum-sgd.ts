import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
import { ARENA_BLOCK, arenaCalls, sampleArena, type ArenaProblem } from './arena.ts';

export interface MomentumSgdProblem extends ArenaProblem {
  readonly nesterov: boolean;
}

/**
 * One step of SGD with momentum over a flat arena, in place; `velocity` starts at 0. `hyper` [2]: learning rate,
 * momentum; for the other operands see `arenaCalls`.
 */
export const momentumSgd: Kernel<MomentumSgdProblem> = {
  name: 'momentum_sgd',
  calls: ({ nesterov, ...arena }, traits) =>
    arenaCalls(
      {
        name: 'momentum_sgd',
        shader: shaders.momentumSgd,
        constants: { NESTEROV: nesterov },
        state: ['velocity'],
        hyperLength: 2,
      },
      arena,
      traits,
    ),
  reference,
  cost: ({ count, nesterov }) => ({ flop: (nesterov ? 9 : 7) * count, bytes: 20 * count }),
  cases: [
    { count: 64, groups: 1, nesterov: false },
    { count: 64 * 37, groups: 3, nesterov: true },
    { count: 64 * 1021, groups: 2, nesterov: false },
  ],
  sampleInputs: (problem, uniform): Values => ({
    ...sampleArena(problem, uniform, (floats) => ({ velocity: floats(0.1) })),
    hyper: Float64Array.of(0.05, 0.9).map(Math.fround),
  }),
};

function reference({ count, nesterov }: MomentumSgdProblem, inputs: Values) {
  const [learningRate, momentum] = inputs.hyper;
  const parameters = { value: Float64Array.from(inputs.parameters), error: new Float64Array(count) };
  const velocity = { value: Float64Array.from(inputs.velocity), error: new Float64Array(count) };
  for (let i = 0; i < count && inputs.gate[0] === 0; i++) {
    const settings = 4 * inputs.group[Math.floor(i / ARENA_BLOCK)];
    const rate = learningRate * inputs.groupSettings[settings];
    const p = inputs.parameters[i];
    // Each line is followed by the bound of its rounding errors: one EPSILON an operation, inherited ones as they
    // propagate.
    const pull = inputs.groupSettings[settings + 1] * p;
    const gradient = inputs.groupSettings[settings + 2] * inputs.gradients[i];
    const g = gradient + pull;
    const gError = EPSILON * (Math.abs(gradient) + Math.abs(pull) + Math.abs(g));
    const kept = momentum * inputs.velocity[i];
    const b = kept + g;
    const bError = gError + EPSILON * (Math.abs(kept) + Math.abs(b));
    const direction = nesterov ? g + momentum * b : b;
    const directionError = nesterov
      ? gError + momentum * bError + EPSILON * (momentum * Math.abs(b) + Math.abs(direction))
      : bError;
    const update = rate * direction;
    velocity.value[i] = b;
    velocity.error[i] = bError;
    parameters.value[i] = p - update;
    parameters.error[i] = rate * directionError + EPSILON * (2.001 * Math.abs(update) + Math.abs(p - update));
  }
  return { parameters, velocity };
}
