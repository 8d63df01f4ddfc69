import type { KernelCall } from '../../kernels/kernel.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { pipelineKey } from '../gpu/compile-pipeline.ts';
import { tuningKey, type VariantSelector, type Choices, type TuningProblem } from './variant-selector.ts';

/**
 * Floating-point operations of a run above which its speed counts for more than the time to compile it. The search
 * model of the page takes 30 million for a sketch: 20 ms on SwiftShader with the preferred variants, 31 ms with these.
 */
const MOST_FLOP = 100e6;

/**
 * Chooses the variants that share the most pipelines. It is for small programs whose start time matters: the
 * page's search model compiles 7 pipelines instead of 21. A program of more than `MOST_FLOP` a run gets the variants
 * that its kernels prefer.
 */
export const fewestPipelines: VariantSelector = {
  select(tuningProblems) {
    const flop = tuningProblems.reduce(
      (sum, { kernel, problem, uses }) => sum + uses * kernel.cost(problem as never).flop,
      0,
    );
    return Promise.resolve(flop > MOST_FLOP ? new Map() : fewest(tuningProblems));
  },
};

/** A minimum set cover is NP-hard; this is the usual greedy approximation. */
function fewest(tuningProblems: readonly TuningProblem[]): Choices {
  const choices = new Map<string, string>();
  // Pipelines by number: their keys are their sources, and comparing these takes long.
  const numbers = new Map<string, number>();
  const numberOf = (dispatch: Dispatch): number => {
    const key = pipelineKey(dispatch);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  };
  const pipelinesOf = ({ dispatches }: KernelCall): readonly number[] => [...new Set(dispatches.map(numberOf))];
  const taken = new Set<number>();
  const open = new Map(tuningProblems.map((tuningProblem) => [tuningProblem, tuningProblem.calls.map(pipelinesOf)]));
  const isCovered = (pipelines: readonly number[], more: readonly number[] = []): boolean =>
    pipelines.every((number) => taken.has(number) || more.includes(number));

  while (open.size > 0) {
    // Of equal ones the first: kernels order their variants by preference.
    const candidates = new Map([...open.values()].flat().map((pipelines) => [pipelines.join(), pipelines]));
    let best: { readonly pipelines: readonly number[]; readonly gain: number } | undefined;
    for (const pipelines of candidates.values()) {
      const missing = pipelines.filter((number) => !taken.has(number)).length;
      const answered = [...open.values()].filter((offers) => offers.some((offer) => isCovered(offer, pipelines)));
      const gain = answered.length / Math.max(missing, 1);
      if (best === undefined || gain > best.gain) best = { pipelines, gain };
    }
    for (const number of best?.pipelines ?? []) taken.add(number);
    for (const [tuningProblem, offers] of open) {
      const place = offers.findIndex((pipelines) => isCovered(pipelines));
      if (place < 0) continue;
      choices.set(tuningKey(tuningProblem), tuningProblem.calls[place].variant);
      open.delete(tuningProblem);
    }
  }
  return choices;
}
