/** How the learning rate goes from step to step. */
export interface Schedule {
  readonly learningRate: number;
  /** Steps over which it rises linearly from 0 at the beginning. */
  readonly warmupSteps: number;
  /** `exponential` is the paper's: learningRate * final^(step / steps). `cosine` ends at learningRate * final. */
  readonly decay: 'constant' | 'exponential' | 'cosine';
  /** The share of the learning rate that is left in the end; 0.001 in the paper. */
  readonly final: number;
}

/** The learning rate of a step. @param step counted from 0 @param steps of the whole training */
export function learningRateAt({ learningRate, warmupSteps, decay, final }: Schedule, step: number, steps: number): number {
  const warmup = Math.min(1, (step + 1) / (warmupSteps + 1));
  const progress = steps <= warmupSteps ? 0 : Math.min(1, Math.max(0, step - warmupSteps) / (steps - warmupSteps));
  const factor = decay === 'constant' ? 1 : decay === 'exponential' ? final ** progress : final + ((1 - final) * (1 + Math.cos(Math.PI * progress))) / 2;
  return learningRate * warmup * factor;
}

/** Rises linearly from 0 to 1: at `start` it is still 0, from `start + length` on it is 1. */
export function ramp(step: number, start: number, length: number): number {
  return length <= 0 ? Number(step >= start) : Math.min(1, Math.max(0, (step - start) / length));
}
