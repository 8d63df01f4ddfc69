import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
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
 * One step of LARS (You, Gitman and Ginsburg 2017) over a flat arena, in place: SGD with momentum whose gradient, weight
 * decay included, is scaled for each tensor by trust * |w| / (|g| + decay * |w| + epsilon). The trust ratio is 1 for
 * tensors that are not adapted, and where a norm is 0. `velocity` starts at 0.
 *
 * `segments` is `segmentTable`'s, `groupSettings` that of `adam`. `hyper` [4]: learning rate, momentum, trust
 * coefficient, epsilon. `gate` [2] is the report of `non_finite`: where gate[0] > 0 nothing changes.
 */
export const lars: Kernel<SegmentedProblem> = {
  name: 'lars',
  calls: (problem) => {
    const { count, groups, segments } = problem;
    return [
      {
        variant: 'workgroup a segment',
        operands: {
          parameters: { role: 'inout', type: 'f32', length: count },
          gradients: { role: 'input', type: 'f32', length: count },
          velocity: { role: 'inout', type: 'f32', length: count },
          segments: { role: 'input', type: 'u32', length: SEGMENT_FIELDS * segments },
          groupSettings: { role: 'input', type: 'f32', length: 4 * groups },
          hyper: { role: 'input', type: 'f32', length: 4 },
          gate: { role: 'input', type: 'u32', length: 2 },
          norms: { role: 'scratch', type: 'f32', length: 2 * segments },
        },
        dispatches: [
          overSegments(problem, {
            shader: shaders.larsNorms,
            operands: ['parameters', 'gradients', 'segments', 'groupSettings', 'norms'],
          }),
          overSegments(problem, {
            shader: shaders.larsUpdate,
            operands: ['parameters', 'gradients', 'velocity', 'segments', 'groupSettings', 'hyper', 'gate', 'norms'],
          }),
        ],
      },
    ];
  },
  reference,
  cost: ({ count }) => ({ flop: 13 * count, bytes: 28 * count }),
  cases: SEGMENTED_CASES,
  sampleInputs: (problem, uniform): Values => ({
    ...sampleSegments(problem, uniform),
    velocity: Float64Array.from({ length: problem.count }, () => Math.fround(0.1 * uniform())),
    hyper: Float64Array.of(1e-2, 0.9, 1e-3, 1e-8).map(Math.fround),
  }),
};

function reference({ count }: SegmentedProblem, inputs: Values) {
  const [learningRate, momentum, trust, epsilon] = inputs.hyper;
  const [parameters, velocity] = (['parameters', 'velocity'] as const).map((name) => ({
    value: Float64Array.from(inputs[name]),
    error: new Float64Array(count),
  }));
  const result = { parameters, velocity };
  if (inputs.gate[0] > 0) return result;
  for (const { first, length, group, adapted } of tensorsIn(inputs.segments)) {
    const [multiplier, decay, factor] = inputs.groupSettings.subarray(4 * group, 4 * group + 3);
    const gradients = inputs.gradients.subarray(first, first + length).map((gradient) => factor * gradient);
    const weights = normOf(inputs.parameters.subarray(first, first + length));
    const gradient = normOf(
      gradients,
      gradients.map((g) => EPSILON * Math.abs(g)),
    );
    const trusts = adapted && weights.value > 0 && gradient.value > 0;
    const denominator = gradient.value + decay * weights.value + epsilon;
    const denominatorError = gradient.error + decay * weights.error + 3 * EPSILON * denominator;
    const ratio = trusts ? (trust * weights.value) / denominator : 1;
    const ratioError = trusts ? weights.error / weights.value + denominatorError / denominator + 6 * EPSILON : 0;
    const rate = learningRate * multiplier;
    for (let place = 0; place < length; place++) {
      const i = first + place;
      const pull = decay * inputs.parameters[i];
      const g = gradients[place] + pull;
      const gError = EPSILON * (Math.abs(gradients[place]) + Math.abs(pull) + Math.abs(g));
      const kept = momentum * inputs.velocity[i];
      const v = kept + ratio * g;
      const vError =
        ratio * gError +
        (ratioError * 1.001 + EPSILON) * Math.abs(ratio * g) +
        EPSILON * (Math.abs(kept) + Math.abs(v));
      const p = inputs.parameters[i] - rate * v;
      [velocity.value[i], velocity.error[i]] = [v, vError];
      parameters.value[i] = p;
      parameters.error[i] = rate * vError + 3 * EPSILON * Math.abs(rate * v) + EPSILON * Math.abs(p);
    }
  }
  return result;
}
