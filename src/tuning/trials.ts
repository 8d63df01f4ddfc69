import type { AnyKernel, KernelCall } from '../../kernels/kernel.ts';
import type { TuningProblem } from '../autodiff/variant-selector.ts';
import { offeredCalls } from '../autodiff/offered-calls.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { pipelineKey } from '../gpu/compile-pipeline.ts';

/** A small problem on which code is verified. */
export interface Trial {
  readonly problem: unknown;
  readonly call: KernelCall;
  /** The code that the call runs, see `pipelineKey`. */
  readonly pipelines: readonly string[];
}

/** Operations of the largest problem whose reference is computed for its own sake: a second or so in JavaScript. */
const REFERENCE_WORK = 1e8;

/**
 * Selects the cases that verify a variant. A variant is code (pipelines), launched with the sizes of its problem; the
 * ragged cases of its kernel verify the code, since the problem itself is mostly too large for a reference.
 */
export class Trials {
  private readonly traits: AdapterTraits;
  private readonly cases = new Map<AnyKernel, readonly Trial[]>();
  private readonly ofCalls = new WeakMap<KernelCall, readonly Trial[] | null>();

  constructor(traits: AdapterTraits) {
    this.traits = traits;
  }

  /**
   * The trials of a call's code: all the kernel's cases that run nothing else. Pipelines that none of them has are
   * looked for in the problem's miniature, then in cases that run other code besides, at last in the problem itself.
   * @returns null where some pipeline is in none of them
   */
  of(tuningProblem: Pick<TuningProblem, 'kernel' | 'problem'>, call: KernelCall): readonly Trial[] | null {
    let trials = this.ofCalls.get(call);
    if (trials === undefined) this.ofCalls.set(call, (trials = this.find(tuningProblem, call)));
    return trials;
  }

  private find(
    { kernel, problem }: Pick<TuningProblem, 'kernel' | 'problem'>,
    call: KernelCall,
  ): readonly Trial[] | null {
    const wanted = new Set(call.dispatches.map(pipelineKey));
    const runsNothingElse = ({ pipelines }: Trial): boolean => pipelines.every((pipeline) => wanted.has(pipeline));
    const cases = this.casesOf(kernel);
    const chosen = cases.filter(runsNothingElse);
    const missing = (): string[] =>
      [...wanted].filter((pipeline) => !chosen.some(({ pipelines }) => pipelines.includes(pipeline)));
    const cover = (trials: readonly Trial[]): void => {
      for (const pipeline of missing()) {
        const found = trials.find(({ pipelines }) => pipelines.includes(pipeline));
        if (found !== undefined && !chosen.includes(found)) chosen.push(found);
      }
    };
    if (missing().length > 0 && kernel.miniature !== undefined)
      cover(this.trialsOn(kernel, kernel.miniature(problem as never)).filter(runsNothingElse));
    if (missing().length > 0) cover(cases);
    if (missing().length > 0) {
      const { flop, bytes } = kernel.cost(problem as never);
      if (flop + bytes <= REFERENCE_WORK) cover(this.trialsOn(kernel, problem).filter(runsNothingElse));
    }
    return missing().length > 0 ? null : chosen;
  }

  private casesOf(kernel: AnyKernel): readonly Trial[] {
    let trials = this.cases.get(kernel);
    if (trials === undefined) {
      trials = kernel.cases.flatMap((problem) => this.trialsOn(kernel, problem));
      this.cases.set(kernel, trials);
    }
    return trials;
  }

  private trialsOn(kernel: AnyKernel, problem: unknown): Trial[] {
    return offeredCalls(kernel, problem, this.traits).map((call) => ({
      problem,
      call,
      pipelines: call.dispatches.map(pipelineKey),
    }));
  }
}
