import type { KernelCall } from '../../kernels/kernel.ts';
import type { AnyKernel } from './op.ts';

/** What a plan has to decide: by which of a kernel's variants a problem is solved. */
export interface Question {
  readonly kernel: AnyKernel;
  readonly problem: unknown;
  /** The variants that the adapter can run, the one that the kernel prefers first. */
  readonly calls: readonly KernelCall[];
  /** How often a graph asks it. */
  readonly uses: number;
}

/** Names of variants by the question that they answer, see `questionKey`. Plain data: checkpoints and caches keep it. */
export type Choices = ReadonlyMap<string, string>;

/** Answers the distinct questions of a plan before its program is compiled, which is when there is time to verify and measure. */
export interface Chooser {
  answer(questions: readonly Question[]): Promise<Choices>;
}

/** The kernel's name and its problem as JSON with its keys in order, so that equal questions have equal keys. */
export function questionKey({ kernel, problem }: Pick<Question, 'kernel' | 'problem'>): string {
  return `${kernel.name} ${canonicalJson(problem)}`;
}

/** The call that was chosen; the one that the kernel prefers where nothing was, or where it is not offered any more. */
export function chosenCall(calls: readonly KernelCall[], variant: string | undefined): KernelCall | undefined {
  return calls.find((call) => call.variant === variant) ?? calls[0];
}

export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/**
 * Keeps to the choices of an earlier run, asks another chooser for the rest, and knows all that was chosen: with its record
 * a resumed training runs the very kernels that it began with, whatever a tuner has found out meanwhile.
 */
export class RecordedChoices implements Chooser {
  private readonly made: Map<string, string>;
  private readonly rest: Chooser | undefined;

  constructor(rest: Chooser | undefined, earlier: Choices = new Map()) {
    this.rest = rest;
    this.made = new Map(earlier);
  }

  get record(): Choices {
    return this.made;
  }

  async answer(questions: readonly Question[]): Promise<Choices> {
    const open = questions.filter((question) => !this.made.has(questionKey(question)));
    const found = open.length === 0 ? undefined : await this.rest?.answer(open);
    for (const question of open) {
      const key = questionKey(question);
      const call = chosenCall(question.calls, found?.get(key));
      if (call !== undefined) this.made.set(key, call.variant);
    }
    return this.made;
  }
}
