import { MemoryBudgetError } from '../autodiff/memory.ts';
import { encodedMicroBatches } from './gradient-caching.ts';
import { microBatches } from './micro-batches.ts';
import type { StepOptions, StepRunner } from './step-programs.ts';
import { wholeBatch } from './whole-batch.ts';

/** A batch that does not come in so many parts. */
export class MicroBatchError extends Error {
  override readonly name = 'MicroBatchError';
}

/**
 * The programs for a step. What does not fit into the budget is recomputed; where that is not enough, the batch comes
 * in as few equal micro-batches as fit, unless it is said in how many. Recomputation changes no bit; micro-batches are
 * normalized each by its own statistics.
 * @throws MemoryBudgetError that names the least budget, MicroBatchError where the batch does not come in so many parts
 */
export async function stepRunner(options: StepOptions): Promise<StepRunner> {
  const {
    objective: { count, ofCount, encoded },
    microBatches: wanted,
  } = options;
  const inParts = ofCount !== undefined ? microBatches : encoded !== undefined ? encodedMicroBatches : undefined;
  const { multipleOf = 1 } = encoded ?? {};
  const possible = inParts === undefined ? [1] : divisors(count).filter((parts) => (count / parts) % multipleOf === 0);
  if (wanted !== undefined && !possible.includes(wanted)) {
    throw new MicroBatchError(
      `a batch of ${count} images comes in ${possible.join(', ')} equal parts${inParts === undefined ? ' for this loss' : ''}, and not in ${wanted}`,
    );
  }
  const refusals: MemoryBudgetError[] = [];
  for (const parts of wanted === undefined ? possible : [wanted]) {
    try {
      return parts === 1 || inParts === undefined ? await wholeBatch(options) : await inParts(options, parts);
    } catch (error) {
      if (!(error instanceof MemoryBudgetError)) throw error;
      refusals.push(error);
    }
  }
  const needsWhole =
    inParts === undefined ? ', for a loss that needs its whole batch at once and cannot come in micro-batches' : '';
  const reason = wanted === undefined ? needsWhole : `, with the batch in ${wanted} ${wanted === 1 ? 'part' : 'parts'}`;
  throw new MemoryBudgetError(options.memoryBudget ?? 0, Math.min(...refusals.map(({ minimum }) => minimum)), reason);
}

const divisors = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => index + 1).filter((parts) => count % parts === 0);
