import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { ARENA_BLOCK, ARENA_WORKGROUP_SIZE, arenaLaunches } from './adam.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';

export interface MomentumSgdProblem {
  /** Elements of the arena, a multiple of ARENA_BLOCK. */
  readonly count: number;
  /** Parameter groups in `groupSettings`. */
  readonly groups: number;
  readonly nesterov: boolean;
}

/**
 * One step of SGD with momentum over a flat arena, in place; `velocity` starts at 0.
 *
 * `groupSettings` [groups * 4]: learning-rate multiplier, weight decay, factor of the gradients, 0. `hyper` [2]:
 * learning rate, momentum. `gate` [2] is the report of `non_finite`: where gate[0] > 0 nothing changes.
 */
export const momentumSgd: Kernel<MomentumSgdProblem> = {
  name: 'momentum_sgd',
  calls: ({ count, groups, nesterov }, traits) =>
    arenaLaunches('momentum_sgd', count, traits).map(({ variant, launch }) => ({
      variant,
      operands: {
        parameters: { role: 'inout', type: 'f32', length: count },
        gradients: { role: 'input', type: 'f32', length: count },
        velocity: { role: 'inout', type: 'f32', length: count },
        group: { role: 'input', type: 'u32', length: count / ARENA_BLOCK },
        groupSettings: { role: 'input', type: 'f32', length: 4 * groups },
        hyper: { role: 'input', type: 'f32', length: 2 },
        gate: { role: 'input', type: 'u32', length: 2 },
      },
      dispatches: [
        sliceable(
          count / ARENA_BLOCK,
          { parameters: ARENA_BLOCK, gradients: ARENA_BLOCK, velocity: ARENA_BLOCK, group: 1 },
          (blocks) => ({
            shader: shaders.momentumSgd,
            constants: { NESTEROV: nesterov, WORKGROUP_SIZE: ARENA_WORKGROUP_SIZE },
            operands: ['parameters', 'gradients', 'velocity', 'group', 'groupSettings', 'hyper', 'gate'],
            ...launch(blocks),
          }),
        ),
      ],
    })),
  reference,
  cost: ({ count, nesterov }) => ({ flop: (nesterov ? 9 : 7) * count, bytes: 20 * count }),
  cases: [
    { count: 64, groups: 1, nesterov: false },
    { count: 64 * 37, groups: 3, nesterov: true },
    { count: 64 * 1021, groups: 2, nesterov: false },
  ],
  sampleInputs: ({ count, groups }, uniform): Values => {
    const floats = (length: number, scale: number): Float64Array =>
      Float64Array.from({ length }, () => Math.fround(scale * uniform()));
    return {
      parameters: floats(count, 1),
      gradients: floats(count, 0.1),
      velocity: floats(count, 0.1),
      group: Float64Array.from({ length: count / ARENA_BLOCK }, (_, block) => block % groups),
      groupSettings: Float64Array.from({ length: 4 * groups }, (_, i) =>
        Math.fround([1 / (1 + i), 5e-4 * i, 2 / (1 + i), 0][i % 4]),
      ),
      hyper: Float64Array.of(0.05, 0.9).map(Math.fround),
      gate: Float64Array.of(0, 0xffffffff),
    };
  },
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
