import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
import { adamHyper } from './adam.ts';
import { sampleFloats } from './arena.ts';
import {
  normOf,
  overSegments,
  sampleSegments,
  SEGMENT_FIELDS,
  SEGMENTED_CASES,
  tensorsIn,
  type SegmentedProblem,
} from './tensor-norms.ts';

/**
 * One step of LAMB (You et al., ICLR 2020, algorithm 2) over a flat arena, in place: Adam's direction with decoupled
 * weight decay, scaled for each tensor by the norm of its weights over that of the direction. The trust ratio is 1 for
 * tensors that are not adapted, and where a norm is 0.
 *
 * `segments` is `segmentTable`'s, `groupSettings` and `hyper` are those of `adam`. `gate` [2] is the report of
 * `non_finite`: where gate[0] > 0 nothing changes.
 */
export const lamb: Kernel<SegmentedProblem> = {
  name: 'lamb',
  calls: (problem) => {
    const { count, groups, segments } = problem;
    return [
      {
        variant: 'workgroup a segment',
        operands: {
          parameters: { role: 'inout', type: 'f32', length: count },
          gradients: { role: 'input', type: 'f32', length: count },
          firstMoment: { role: 'inout', type: 'f32', length: count },
          secondMoment: { role: 'inout', type: 'f32', length: count },
          segments: { role: 'input', type: 'u32', length: SEGMENT_FIELDS * segments },
          groupSettings: { role: 'input', type: 'f32', length: 4 * groups },
          hyper: { role: 'input', type: 'f32', length: 8 },
          gate: { role: 'input', type: 'u32', length: 2 },
          norms: { role: 'scratch', type: 'f32', length: 2 * segments },
        },
        dispatches: [
          overSegments(problem, {
            shader: shaders.lambMoments,
            operands: ['gradients', 'firstMoment', 'secondMoment', 'segments', 'groupSettings', 'hyper', 'gate'],
          }),
          overSegments(problem, {
            shader: shaders.lambNorms,
            libraries: [shaders.lambDirection],
            operands: ['parameters', 'firstMoment', 'secondMoment', 'segments', 'groupSettings', 'hyper', 'norms'],
          }),
          overSegments(problem, {
            shader: shaders.lambUpdate,
            libraries: [shaders.lambDirection],
            operands: [
              'parameters',
              'firstMoment',
              'secondMoment',
              'segments',
              'groupSettings',
              'hyper',
              'gate',
              'norms',
            ],
          }),
        ],
      },
    ];
  },
  reference,
  cost: ({ count }) => ({ flop: 31 * count, bytes: 48 * count }),
  cases: SEGMENTED_CASES,
  sampleInputs: (problem, uniform): Values => ({
    ...sampleSegments(problem, uniform),
    firstMoment: sampleFloats(problem.count, 0.1, uniform),
    secondMoment: sampleFloats(problem.count, 0.01, uniform).map(Math.abs),
    hyper: adamHyper({ learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-6 }, 7).map(Math.fround),
  }),
};

function reference({ count }: SegmentedProblem, inputs: Values) {
  const [learningRate, , beta2, epsilon, correction1, correction2, rest1, rest2] = inputs.hyper;
  const outputs = ['parameters', 'firstMoment', 'secondMoment'] as const;
  const [parameters, firstMoment, secondMoment] = outputs.map((name) => ({
    value: Float64Array.from(inputs[name]),
    error: new Float64Array(count),
  }));
  const result = { parameters, firstMoment, secondMoment };
  if (inputs.gate[0] > 0) return result;
  for (const { first, length, group, adapted } of tensorsIn(inputs.segments)) {
    const [multiplier, decay, factor] = inputs.groupSettings.subarray(4 * group, 4 * group + 3);
    const direction = new Float64Array(length);
    const directionError = new Float64Array(length);
    // Each line is followed by the bound of its rounding errors: one EPSILON an operation, inherited ones as they
    // propagate.
    for (let place = 0; place < length; place++) {
      const i = first + place;
      const g = factor * inputs.gradients[i];
      const gError = EPSILON * Math.abs(g);
      const step = rest1 * (g - inputs.firstMoment[i]);
      const m = inputs.firstMoment[i] + step;
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
      const adam = m / correction1 / denominator;
      const adamError =
        (mError / correction1 + (Math.abs(m / correction1) * denominatorError) / denominator) /
          (denominator - denominatorError) +
        (5 + 5) * EPSILON * Math.abs(adam);
      const pull = decay * inputs.parameters[i];
      direction[place] = adam + pull;
      directionError[place] = adamError + EPSILON * (Math.abs(pull) + Math.abs(adam + pull));
      [firstMoment.value[i], firstMoment.error[i]] = [m, mError];
      [secondMoment.value[i], secondMoment.error[i]] = [v, vError];
    }
    const weights = normOf(inputs.parameters.subarray(first, first + length));
    const directions = normOf(direction, directionError);
    const trusts = adapted && weights.value > 0 && directions.value > 0;
    const ratio = trusts ? weights.value / directions.value : 1;
    const ratioError = trusts ? weights.error / weights.value + directions.error / directions.value + 5 * EPSILON : 0;
    const rate = learningRate * multiplier * ratio;
    for (let place = 0; place < length; place++) {
      const i = first + place;
      const update = rate * direction[place];
      const p = inputs.parameters[i] - update;
      parameters.value[i] = p;
      parameters.error[i] =
        rate * directionError[place] + (ratioError + 4 * EPSILON) * Math.abs(update) * 1.001 + EPSILON * Math.abs(p);
    }
  }
  return result;
}
