import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import type { StorageType } from '../../kernels/contract/storage-type.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import type { KernelBench } from '../support/kernel-bench.ts';

/** A version of a kernel, kept so that what the next one gains can be measured again at any time. */
export interface Rung<Problem> {
  readonly name: string;
  /** undefined where this version cannot do the problem. */
  call(problem: Problem, traits: AdapterTraits): Omit<KernelCall, 'variant'> | undefined;
}

/** A kernel's versions from the naive one up to those that ship. */
export interface Ladder<Problem> extends KernelBench<Problem> {
  /** Parts of the names of the shapes that are shown by default. */
  readonly shapes: readonly string[];
}

/**
 * Puts earlier versions below a kernel's own variants: a kernel like any other, so that tests hold every rung to the
 * same reference, and the benchmark times it.
 */
export function ladder<Problem>(
  { kernel, problems }: KernelBench<Problem>,
  rungs: readonly Rung<Problem>[],
  shapes: readonly string[],
): Ladder<Problem> {
  const climb: Kernel<Problem> = {
    ...kernel,
    name: `${kernel.name} ladder`,
    calls: (problem, traits) => [
      ...rungs.flatMap(({ name, call }, index) => {
        // All of them are from the time when everything was stored as f32.
        const made = (problem as StorageType).type === 'f16' ? undefined : call(problem, traits);
        return made === undefined ? [] : [{ ...made, variant: `${index + 1} ${name}` }];
      }),
      // The chosen variant last: it is the top.
      ...[...kernel.calls(problem, traits)].reverse().map((call) => ({ ...call, variant: `shipped: ${call.variant}` })),
    ],
  };
  return { kernel: climb, problems, shapes };
}
