import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
import { ARENA_BLOCK, arenaCalls, sampleArena, type ArenaProblem } from './arena.ts';

/**
 * One step of RMSprop over a flat arena, in place; `squares`, the moving average of squared gradients, starts at 0.
 * `hyper` [4]: learning rate, alpha, 1 - alpha, epsilon; for the other operands see `arenaCalls`.
 */
export const rmsprop: Kernel<ArenaProblem> = {
  name: 'rmsprop',
  calls: (problem, traits) =>
    arenaCalls({ name: 'rmsprop', shader: shaders.rmsprop, state: ['squares'], hyperLength: 4 }, problem, traits),
  reference,
  cost: ({ count }) => ({ flop: 11 * count, bytes: 20 * count }),
  cases: [
    { count: 64, groups: 1 },
    { count: 64 * 37, groups: 3 },
    { count: 64 * 1021, groups: 2 },
  ],
  sampleInputs: (problem, uniform): Values => ({
    ...sampleArena(problem, uniform, (floats) => ({ squares: floats(0.01).map(Math.abs) })),
    hyper: Float64Array.of(0.05, 0.99, 0.01, 1e-8).map(Math.fround),
  }),
};

function reference({ count }: ArenaProblem, inputs: Values) {
  const [learningRate, alpha, rest, epsilon] = inputs.hyper;
  const parameters = { value: Float64Array.from(inputs.parameters), error: new Float64Array(count) };
  const squares = { value: Float64Array.from(inputs.squares), error: new Float64Array(count) };
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
    const fresh = rest * g * g;
    const kept = alpha * inputs.squares[i];
    const s = kept + fresh;
    const sError = rest * 2.001 * Math.abs(g) * gError + EPSILON * (2 * fresh + kept + s) + 1e-37;
    // WGSL's sqrt is 1 / inverseSqrt: 2 + 2.5 units in the last place, 2 EPSILON each; a division is 2.5 units.
    const root = Math.sqrt(s);
    const rootError = Math.sqrt(sError) * Math.min(1, Math.sqrt(sError / s)) + 9 * EPSILON * root;
    const denominator = root + epsilon;
    const denominatorError = rootError + EPSILON * denominator;
    const update = (rate * g) / denominator;
    const updateError =
      (rate * (gError + (Math.abs(g) * denominatorError) / denominator)) / (denominator - denominatorError) +
      (1 + 1 + 5) * EPSILON * Math.abs(update);
    parameters.value[i] = p - update;
    parameters.error[i] = updateError + EPSILON * Math.abs(p - update);
    squares.value[i] = s;
    squares.error[i] = sError;
  }
  return { parameters, squares };
}
