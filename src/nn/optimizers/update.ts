/** The update of a network's parameters from their gradients: which ranges learn, by which group's settings. */
import { ARENA_BLOCK } from '../../../kernels/optimizer/arena.ts';
import type { ArenaTensor } from '../../../kernels/optimizer/tensor-norms.ts';
import { lossScaleUpdate } from '../../autodiff/ops/effects.ts';
import type { Feeds } from '../../autodiff/program.ts';
import { constant, input, type GraphNode, type ParameterStore, type Tensor } from '../../autodiff/tensor.ts';
import type { LossScale } from '../loss-scaling.ts';
import { optimizerOfSettings, type OptimizerSettings } from './index.ts';
import type { ParameterGroup } from './optimizer.ts';

/** @param gate computed from all of the gradients, so that what obeys it comes after them */
export function optimizerUpdate(
  parameters: ParameterStore,
  gradients: ParameterStore,
  gate: Tensor,
  settings: OptimizerSettings,
  lossScale: LossScale | undefined,
): {
  readonly updates: GraphNode[];
  readonly moments: readonly ParameterStore[];
  /** The optimizer's numbers for a step, counted from 1. */
  feeds(learningRate: number, step: number): Feeds;
} {
  const unscaled = groupSettingsOf(settings.groups);
  const groupSettings = lossScale === undefined ? unscaled : lossScaleUpdate(gate, unscaled, lossScale);
  const ofScale = lossScale === undefined ? [] : [lossScale.store];
  const ranges = learningRanges(parameters, gradients, settings.groups).map(
    ({ first, firstGradient, length, group, tensors }) => ({
      of: (store: ParameterStore) => store.range(first, length),
      shared: {
        parameters: parameters.range(first, length),
        gradients: gradients.range(firstGradient, length),
        group,
        tensors,
        groupSettings,
        gate,
      },
    }),
  );
  const optimizer = optimizerOfSettings(settings);
  const state = optimizer.state.map((name) => parameters.like(name));
  const hyper = input('optimizer', [optimizer.hyperLength]);
  return {
    updates: ranges.map(({ of, shared }) => optimizer.update({ ...shared, hyper }, state.map(of), settings)),
    moments: [...state, ...ofScale],
    feeds: (learningRate, step) => ({ optimizer: Float32Array.from(optimizer.hyper(settings, learningRate, step)) }),
  };
}

/** Parameters that learn and follow one another: what one dispatch updates. */
interface LearningRange {
  /** Where it begins in the parameters, and in the gradients. */
  readonly first: number;
  readonly firstGradient: number;
  readonly length: number;
  /** u32 [length / ARENA_BLOCK] */
  readonly group: Tensor;
  readonly tensors: readonly ArenaTensor[];
}

/** One range where all parameters learn, or the last stages of a network. */
function learningRanges(
  parameters: ParameterStore,
  gradients: ParameterStore,
  groups: readonly ParameterGroup[],
): LearningRange[] {
  const ranges: { first: number; firstGradient: number; tensors: ArenaTensor[] }[] = [];
  for (const [name, { offset: first, tensor }] of parameters.entries) {
    const firstGradient = gradients.entries.get(name)?.offset;
    if (firstGradient === undefined) continue;
    let range = ranges.at(-1);
    if (range === undefined || first - range.first !== firstGradient - range.firstGradient)
      ranges.push((range = { first, firstGradient, tensors: [] }));
    range.tensors.push({
      length: Math.ceil(tensor.length / ARENA_BLOCK) * ARENA_BLOCK,
      group: groups.indexOf(groupOf(name, groups)),
      adapted: tensor.shape.length > 1,
    });
  }
  return ranges.map((range) => {
    const blocks = range.tensors.flatMap(({ length, group }) => new Array<number>(length / ARENA_BLOCK).fill(group));
    return {
      ...range,
      length: blocks.length * ARENA_BLOCK,
      group: constant('parameter groups', [blocks.length], Uint32Array.from(blocks)),
    };
  });
}

function groupSettingsOf(groups: readonly ParameterGroup[]): Tensor {
  const settings = Float32Array.from(
    groups.flatMap(({ learningRate, weightDecay }) => [learningRate, weightDecay, 1, 0]),
  );
  return constant('group settings', [settings.length], settings);
}

/** The first group that a parameter belongs to. @throws RangeError where no group matches */
export function groupOf(name: string, groups: readonly ParameterGroup[]): ParameterGroup {
  const found = groups.find(({ matches }) => matches(name));
  if (found === undefined)
    throw new RangeError(`parameter ${name} belongs to no group of the optimizer; let the last group match everything`);
  return found;
}
