import { exact, type Kernel } from '../kernel.ts';
import * as shaders from '../../shaders/generated/shaders.ts';

export interface LossScaleProblem {
  /** Parameter groups in `groupSettings`. */
  readonly groups: number;
  /** Good steps after which the scale is doubled. */
  readonly interval: number;
}

/** Exponents of two between which a scale moves: beyond them it is not the scale that is wrong. */
const LARGEST = 24;
const SMALLEST = -24;

/**
 * Follows a loss scale, a power of two, by what became of a step's gradients: doubled after `interval` good steps,
 * halved after one that overflowed. `report` [2] is `non_finite`'s, `scale` [1] and `steps` [2] (good ones since the
 * last change, skipped ones in all) are updated in place; `scaledSettings` are `groupSettings` [groups * 4] by which an
 * optimizer divides by the scale of this step.
 */
export const lossScale: Kernel<LossScaleProblem> = {
  name: 'loss_scale',
  calls: ({ groups, interval }) => [
    {
      variant: 'one invocation',
      operands: {
        report: { role: 'input', type: 'u32', length: 2 },
        scale: { role: 'inout', type: 'f32', length: 1 },
        steps: { role: 'inout', type: 'f32', length: 2 },
        groupSettings: { role: 'input', type: 'f32', length: 4 * groups },
        scaledSettings: { role: 'output', type: 'f32', length: 4 * groups },
      },
      dispatches: [
        {
          shader: shaders.lossScale,
          constants: { INTERVAL: interval, LARGEST, SMALLEST: -SMALLEST },
          parameters: [groups],
          operands: ['report', 'scale', 'steps', 'groupSettings', 'scaledSettings'],
          workgroups: [1, 1, 1],
        },
      ],
    },
  ],
  reference: ({ interval }, { report: [nonFinite], scale: [before], steps: [good, skipped], groupSettings }) => {
    const doubled = good + 1 >= interval;
    const after =
      nonFinite > 0 ? Math.max(before / 2, 2 ** SMALLEST) : doubled ? Math.min(2 * before, 2 ** LARGEST) : before;
    return {
      scale: exact(Float64Array.of(after)),
      steps: exact(nonFinite > 0 ? Float64Array.of(0, skipped + 1) : Float64Array.of(doubled ? 0 : good + 1, skipped)),
      scaledSettings: exact(groupSettings.map((value, i) => (i % 4 === 2 ? value / before : value))),
    };
  },
  cost: ({ groups }) => ({ flop: 0, bytes: 32 * groups + 24 }),
  cases: [
    { groups: 1, interval: 1 },
    { groups: 3, interval: 2000 },
  ],
  sampleInputs: ({ groups, interval }, uniform) => ({
    report: Float64Array.of(0, 0xffffffff),
    scale: Float64Array.of(2 ** Math.round(16 + 4 * uniform())),
    steps: Float64Array.of(interval - 1, 3),
    groupSettings: Float64Array.from({ length: 4 * groups }, (_, i) =>
      Math.fround([1 / (1 + i), 5e-4 * i, 1, 0][i % 4]),
    ),
  }),
};
