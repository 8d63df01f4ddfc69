import { layOutArena } from './arena.ts';
import { livenessOf } from './liveness.ts';
import type { ScheduledCall } from './plan-types.ts';
import type { StoreOf } from './recipes.ts';
import { ScheduleModel, type Recomputation } from './schedule-model.ts';
import type { Tensor } from './tensor.ts';

/**
 * Recomputation (Chen et al. 2016, "Training deep nets with sublinear memory cost"): tensors that the forward pass
 * leaves for the backward pass are given up after their last forward use, and computed once more when the backward pass
 * asks for them. The same dispatches compute them from the same values, so that no bit of a result depends on the
 * budget.
 *
 * What is kept is decided from below: first everything is given up but checkpoints, tensors through which alone the
 * rest of the forward pass sees what lies before them, such as the outputs of residual blocks. Then every other tensor
 * is kept whose keeping still fits, the dearest to recompute for its size first. Tried with checkpoints at several
 * distances; the cheapest outcome wins.
 */

export interface RecomputationOptions {
  readonly outputs: readonly Tensor[];
  readonly storeOf: StoreOf;
  readonly arenaBudget: number;
  readonly maxBufferBytes: number;
}

/** Checkpoints at every so many of the places where there can be one. */
const DISTANCES = [1, 2, 3, 4, 6, 8, 12, 16, Infinity];
/** How often the search is told to leave more room, where the arena came out larger than what is alive in it. */
const ATTEMPTS = 6;

/** Gives up and recomputes what it takes for the arena to fit; the smallest arena it finds, where none fits. */
export function recompute(
  calls: readonly ScheduledCall[],
  { outputs, storeOf, arenaBudget, maxBufferBytes }: RecomputationOptions,
): Recomputation {
  const model = new ScheduleModel(calls, outputs, storeOf);
  const starts = DISTANCES.map((distance) =>
    model.descend(model.allBut(model.checkpoints.filter((_, index) => index % distance === distance - 1))),
  );
  const arenaOf = (schedule: readonly ScheduledCall[]): number =>
    layOutArena(livenessOf(schedule, outputs, (tensor) => storeOf(tensor) !== undefined).lifetimes, maxBufferBytes)
      .bytes;

  let target = arenaBudget;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fitting = starts
      .filter((dropped) => model.peak(dropped) <= target)
      .map((dropped) => model.keepWhatFits(dropped, target));
    if (fitting.length === 0) break;
    const found = model.schedule(least(fitting, (dropped) => model.work(dropped)));
    const arena = arenaOf(found.calls);
    if (arena <= arenaBudget) return found;
    target -= arena - arenaBudget;
  }
  const smallest = starts.map((dropped) => model.schedule(model.keepWhatFits(dropped, model.peak(dropped))));
  return least([...smallest, { calls, recomputed: undefined }], (found) => arenaOf(found.calls));
}

function least<T>(values: readonly T[], measure: (value: T) => number): T {
  const measures = values.map(measure);
  return values[measures.indexOf(Math.min(...measures))];
}
