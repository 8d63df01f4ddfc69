import type { AnyKernel, KernelCall } from '../../kernels/kernel.ts';
import { canonicalJson } from '../formats/canonical-json.ts';

/** A decision of the plan: which of a kernel's variants solves a problem. */
export interface TuningProblem {
  readonly kernel: AnyKernel;
  readonly problem: unknown;
  /** The variants that the adapter can run, the one that the kernel prefers first. */
  readonly calls: readonly KernelCall[];
  /** How often a run of the graph solves it. */
  readonly uses: number;
  /** Whether weights are prepacked once (see KernelCall), so that runs do not pay for it. */
  readonly prepacked?: boolean;
}

/**
 * Names of variants by the tuning problem that they solve, see `tuningKey`. Plain data: checkpoints and caches keep it.
 */
export type Choices = ReadonlyMap<string, string>;

/**
 * Selects a variant for each distinct tuning problem of a plan before its program is compiled, which is when there is time to verify and
 * measure.
 */
export interface VariantSelector {
  /**
   * The variant for each problem, by the key of the problem.
   * @param wanted what should be chosen wherever it can be, before all that the selector itself would prefer
   */
  select(tuningProblems: readonly TuningProblem[], wanted?: Choices): Promise<Choices>;
}

/** The end of the keys of programs that prepack weights. Files hold keys, so it stays as it is. */
export const PREPACKED_SUFFIX = ' prepared';

/**
 * The kernel's name and its problem as JSON with its keys in order, so that equal tuning problems have equal keys. The
 * fastest variant may depend on prepacking.
 */
export function tuningKey({
  kernel,
  problem,
  prepacked = false,
}: Pick<TuningProblem, 'kernel' | 'problem' | 'prepacked'>): string {
  return `${kernel.name} ${problemText(problem)}${prepacked ? PREPACKED_SUFFIX : ''}`;
}

/** The call that was chosen; the one that the kernel prefers where nothing was, or where it is not offered any more. */
export function selectedCall(calls: readonly KernelCall[], variant: string | undefined): KernelCall | undefined {
  return calls.find((call) => call.variant === variant) ?? calls[0];
}

const texts = new WeakMap<object, string>();

/**
 * A problem as JSON with its keys in order. It is made once, since it is the key of much, and problems are never
 * changed.
 */
export function problemText(problem: unknown): string {
  if (typeof problem !== 'object' || problem === null) return canonicalJson(problem);
  let text = texts.get(problem);
  if (text === undefined) texts.set(problem, (text = canonicalJson(problem)));
  return text;
}

/**
 * Keeps to the choices of an earlier run, leaves the rest to another selector, and records every choice. With the
 * record, a resumed training runs the kernels that it started with, whatever a tuner has measured since.
 */
export class RecordedSelection implements VariantSelector {
  /** What was chosen, the choices of the earlier run included. */
  readonly record: ReadonlyMap<string, string>;
  private readonly made: Map<string, string>;
  private readonly rest: VariantSelector | undefined;
  private replacements = 0;

  constructor(rest: VariantSelector | undefined, earlier: Choices = new Map()) {
    this.rest = rest;
    this.made = new Map(earlier);
    this.record = this.made;
  }

  /** How many choices of the earlier run could not be kept: their variant is not offered here, or computes wrongly. */
  get replaced(): number {
    return this.replacements;
  }

  async select(tuningProblems: readonly TuningProblem[]): Promise<Choices> {
    const answers = await this.rest?.select(tuningProblems, this.made);
    for (const tuningProblem of tuningProblems) {
      const key = tuningKey(tuningProblem);
      const earlier = this.made.get(key);
      const call = selectedCall(tuningProblem.calls, answers === undefined ? earlier : answers.get(key));
      if (call === undefined) continue;
      if (earlier !== undefined && earlier !== call.variant) this.replacements++;
      this.made.set(key, call.variant);
    }
    return this.made;
  }
}
