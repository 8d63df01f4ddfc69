// Kernels on their problems; unlike the catalogue, which loads them by their files' names, in a page as well.
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import type { KernelCall } from '../../kernels/kernel.ts';
import { selectedCall, tuningKey, type Choices, type TuningProblem } from '../../src/autodiff/variant-selector.ts';
import { problemsOf, type KernelBench, type Work } from './kernel-bench.ts';

/** One kernel on one of its problems. */
export interface Entry {
  readonly bench: KernelBench<unknown>;
  readonly name: string;
  readonly problemName: string;
  readonly problem: unknown;
}

export function entriesOf(name: string, bench: KernelBench<unknown>, shapes: readonly string[], work: Work): Entry[] {
  return Object.entries(problemsOf(bench, work))
    .filter(([problemName]) => shapes.length === 0 || shapes.some((part) => problemName.includes(part)))
    .map(([problemName, problem]) => ({ bench, name, problemName, problem }));
}

/** What a plan has to decide about an entry; undefined where this adapter has no variant, as without 16-bit floats. */
export function tuningProblemOf(
  { bench: { kernel }, problem }: Entry,
  traits: AdapterTraits,
): TuningProblem | undefined {
  const calls = kernel.calls(problem, traits);
  return calls.length === 0 ? undefined : { kernel, problem, calls, uses: 1 };
}

/** The variant that a program would run: the one that was chosen, or else the one that the kernel prefers. */
export function chosenVariant(tuningProblem: TuningProblem, choices: Choices | undefined): KernelCall {
  return selectedCall(tuningProblem.calls, choices?.get(tuningKey(tuningProblem))) as KernelCall;
}
