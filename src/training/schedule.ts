/** How the learning rate goes from step to step. */
export interface Schedule {
  readonly learningRate: number;
  /** Steps over which it rises linearly from 0 at the beginning. */
  readonly warmupSteps: number;
  /**
   * `exponential` is the paper's: learningRate * final^(step / steps). `cosine` and `linear` end at learningRate *
   * final.
   */
  readonly decay: 'constant' | 'exponential' | 'cosine' | 'linear';
  /** The share of the learning rate that is left in the end; 0.001 in the paper. */
  readonly final: number;
  /**
   * Steps for which the rate stays the same after its warm-up; 1 if left out. Those of an epoch for lr * 0.001^(epoch /
   * epochs) with whole epochs.
   */
  readonly stepsAtARate?: number;
}

/** The learning rate of a step. @param step counted from 0 @param steps of the whole training */
export function learningRateAt(
  { learningRate, warmupSteps, decay, final, stepsAtARate = 1 }: Schedule,
  step: number,
  steps: number,
): number {
  const warmup = Math.min(1, (step + 1) / (warmupSteps + 1));
  const begun = Math.floor(Math.max(0, step - warmupSteps) / stepsAtARate) * stepsAtARate;
  const progress = steps <= warmupSteps ? 0 : Math.min(1, begun / (steps - warmupSteps));
  return learningRate * warmup * DECAYS[decay](progress, final);
}

/** The share of the learning rate at a progress from 0 to 1. */
const DECAYS: Readonly<Record<Schedule['decay'], (progress: number, final: number) => number>> = {
  constant: () => 1,
  exponential: (progress, final) => final ** progress,
  cosine: (progress, final) => final + ((1 - final) * (1 + Math.cos(Math.PI * progress))) / 2,
  linear: (progress, final) => 1 + (final - 1) * progress,
};

/** Rises linearly from 0 to 1: at `start` it is still 0, from `start + length` on it is 1. */
export function ramp(step: number, start: number, length: number): number {
  return length <= 0 ? Number(step >= start) : Math.min(1, Math.max(0, (step - start) / length));
}
