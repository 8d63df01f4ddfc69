import type { KernelCall } from '../../kernels/kernel.ts';
import { tuningKey, type VariantSelector, type Choices, type TuningProblem } from '../autodiff/variant-selector.ts';
import type { Device } from '../gpu/device.ts';
import { DeviceLostError } from '../gpu/errors.ts';
import { pipelineKey } from '../gpu/compile-pipeline.ts';
import { codeDigest, Digests } from './digests.ts';
import { Qualification, type Verdict } from './qualification.ts';
import { adapterIdentity, emptyRecords, type ChoiceRecord, type TuningEffort, type TuningRecords } from './records.ts';
import { tableFor, type TuningTable } from './tables.ts';
import { timeCalls, type Timing } from './timing.ts';

/** No variant of a kernel computes correctly here. */
export class QualificationError extends Error {
  override readonly name = 'QualificationError';
}

/** How a tuner chooses, and what it remembers. */
export interface TunerOptions {
  /**
   * `off` measures nothing, and goes by what is known: records, then the shipped table, then the kernels' own
   * preference.
   */
  readonly effort?: TuningEffort;
  /** Milliseconds that all measuring may take, in place of the effort's own. */
  readonly limit?: number;
  /** Takes what each kernel prefers, whatever is known: choices then depend on adapter and build alone. */
  readonly deterministic?: boolean;
  /** What earlier runs found out on this adapter; what this one finds out is added. */
  readonly records?: TuningRecords;
  /** Shipped tables; by default those of this version. */
  readonly tables?: readonly TuningTable[];
  /** Called when the records have grown, to keep them; awaited. */
  readonly onRecords?: (records: TuningRecords) => Promise<void>;
  /** Hears of the problems that are measured, of the pipelines that are compiled, and of the problems whose variants are verified. */
  readonly onProgress?: (what: 'tuning' | 'compiling' | 'verifying', done: number, total: number) => void;
  /** Hears of variants that were dropped, and why. */
  readonly onNote?: (note: string) => void;
  /** Milliseconds. */
  readonly clock?: () => number;
}

/**
 * The time that all tuning of a tuner may take, in milliseconds, the samples of each variant, and how many variants,
 * those first that the kernel prefers.
 */
export const EFFORTS = {
  quick: { limit: 20_000, rounds: 5, variants: 3 },
  full: { limit: 900_000, rounds: 9, variants: Infinity },
} as const;

/** What a challenger must be faster by, at the least, to displace the variant that its kernel prefers. */
const CLEAR_MARGIN = 0.03;

/** In a quick tuning, code that was hopelessly slow on so many problems is not tried on others. */
const GIVEN_UP_AFTER = 2;

/**
 * Chooses variants on one device. None is chosen before it has reproduced its reference there; one that fails is
 * dropped and reported. On demand it measures which is fastest, the most expensive problems first, in a bounded time.
 */
export class Tuner implements VariantSelector {
  readonly records: TuningRecords;
  private readonly device: Device;
  private readonly effort: TuningEffort;
  private readonly deterministic: boolean;
  private readonly shipped: ReadonlyMap<string, { readonly code: string; readonly variant: string }>;
  private readonly qualification: Qualification;
  private readonly digests = new Digests();
  private readonly options: TunerOptions;
  private readonly clock: () => number;
  private readonly reported = new Set<string>();
  /** How often a variant's code was hopelessly slow. */
  private readonly hopeless = new Map<string, number>();
  private spent = 0;
  private measured = 0;

  constructor(device: Device, options: TunerOptions = {}) {
    this.device = device;
    this.options = options;
    this.effort = options.deterministic === true ? 'off' : (options.effort ?? 'off');
    this.deterministic = options.deterministic ?? false;
    this.records = options.records ?? emptyRecords(adapterIdentity(device.description));
    this.shipped = new Map(
      tableFor(device, options.tables)?.choices.map(([key, code, variant]) => [key, { code, variant }]),
    );
    this.qualification = new Qualification(device, this.records.proven);
    this.clock = options.clock ?? (() => performance.now());
  }

  /**
   * The variant for each problem: verified on the device, and the fastest as far as measured.
   * @param wanted variants to take where they can run
   */
  async select(tuningProblems: readonly TuningProblem[], wanted: Choices = new Map()): Promise<Choices> {
    const before = { proven: this.records.proven.size, measured: this.measured, tests: this.qualification.tests };
    if (this.effort !== 'off')
      await this.tune(
        tuningProblems.filter((tuningProblem) => !wanted.has(tuningKey(tuningProblem))),
        this.effort,
      );
    const ordered = await Promise.all(
      tuningProblems.map(async (tuningProblem) =>
        inOrder(tuningProblem.calls, wanted.get(tuningKey(tuningProblem)) ?? (await this.known(tuningProblem))),
      ),
    );
    await this.qualification.compile(
      tuningProblems.flatMap((tuningProblem, index) =>
        ordered[index].slice(0, 1).map((call) => [tuningProblem, call] as const),
      ),
      (done, total) => this.options.onProgress?.('compiling', done, total),
    );
    const choices = new Map<string, string>();
    for (const [index, tuningProblem] of tuningProblems.entries()) {
      choices.set(tuningKey(tuningProblem), (await this.firstVerified(tuningProblem, ordered[index])).variant);
      if (this.qualification.tests > before.tests)
        this.options.onProgress?.('verifying', index + 1, tuningProblems.length);
    }
    this.qualification.forgetReferences();
    if (this.records.proven.size > before.proven || this.measured > before.measured)
      await this.options.onRecords?.(this.records);
    return choices;
  }

  /** The variant to prefer by what was measured here, or before this version was shipped. */
  private async known(tuningProblem: TuningProblem): Promise<string | undefined> {
    if (this.deterministic || tuningProblem.calls.length === 1) return undefined;
    const key = tuningKey(tuningProblem);
    const measured = this.records.choices.get(key);
    if (measured !== undefined && measured.code === (await this.codeOf(tuningProblem))) return measured.variant;
    const shipped = this.shipped.get(key);
    const call = tuningProblem.calls.find(({ variant }) => variant === shipped?.variant);
    return call !== undefined && (await this.digests.ofCall(call)) === shipped?.code ? call.variant : undefined;
  }

  private async firstVerified(tuningProblem: TuningProblem, calls: readonly KernelCall[]): Promise<KernelCall> {
    let unproven: KernelCall | undefined;
    const reasons: string[] = [];
    for (const call of calls) {
      const verdict = await this.judge(tuningProblem, call);
      if (verdict.standing === 'right') return call;
      if (verdict.standing === 'unproven') unproven ??= call;
      else reasons.push(`${call.variant}: ${verdict.reason}`);
    }
    if (unproven !== undefined) {
      this.note(
        `${tuningProblem.kernel.name}, ${unproven.variant}: no case of the kernel runs this code, so it is used without having been checked`,
      );
      return unproven;
    }
    throw new QualificationError(
      `${tuningProblem.kernel.name}: no variant computes correctly on ${this.device.description.device}. Update its driver, or choose another adapter (sketchgrad doctor shows more).\n  ${reasons.join('\n  ')}`,
    );
  }

  private async judge(tuningProblem: TuningProblem, call: KernelCall): Promise<Verdict> {
    const verdict = await this.qualification.verdict(tuningProblem, call);
    if (verdict.standing === 'wrong')
      this.note(`${tuningProblem.kernel.name}, ${call.variant}: dropped, for ${verdict.reason}`);
    return verdict;
  }

  /** Measures the problems that no record knows enough about, the most expensive first, until the time is over. */
  private async tune(tuningProblems: readonly TuningProblem[], effort: Exclude<TuningEffort, 'off'>): Promise<void> {
    const { rounds } = EFFORTS[effort];
    const { limit = EFFORTS[effort].limit } = this.options;
    const start = this.clock();
    const deadline = start + limit - this.spent;
    const open: TuningProblem[] = [];
    for (const tuningProblem of tuningProblems)
      if (tuningProblem.calls.length > 1 && !(await this.isKnown(tuningProblem, effort))) open.push(tuningProblem);
    open.sort((a, b) => expense(b) - expense(a));
    for (const [index, tuningProblem] of open.entries()) {
      if (this.clock() >= deadline) {
        this.options.onProgress?.('tuning', index, index);
        this.note(
          `tuning took its ${limit / 1000} s; ${open.length - index} of ${open.length} problems are left for another time`,
        );
        break;
      }
      const record = await this.measure(tuningProblem, effort, { rounds, deadline, clock: this.clock });
      if (record !== undefined) {
        this.records.choices.set(tuningKey(tuningProblem), record);
        this.measured++;
      }
      this.options.onProgress?.('tuning', index + 1, open.length);
    }
    this.spent += this.clock() - start;
  }

  private async isKnown(tuningProblem: TuningProblem, effort: TuningEffort): Promise<boolean> {
    const record = this.records.choices.get(tuningKey(tuningProblem));
    return (
      record !== undefined &&
      (record.effort === 'full' || effort === 'quick') &&
      record.code === (await this.codeOf(tuningProblem))
    );
  }

  /** @returns undefined where the time was too short, or there was no room */
  private async measure(
    tuningProblem: TuningProblem,
    effort: Exclude<TuningEffort, 'off'>,
    timing: Parameters<typeof timeCalls>[3],
  ): Promise<ChoiceRecord | undefined> {
    const right: KernelCall[] = [];
    for (const call of tuningProblem.calls.slice(0, EFFORTS[effort].variants)) {
      if (effort === 'quick' && (this.hopeless.get(codeKey(tuningProblem, call)) ?? 0) >= GIVEN_UP_AFTER) continue;
      if (this.clock() >= timing.deadline) return undefined;
      if ((await this.judge(tuningProblem, call)).standing === 'right') right.push(call);
    }
    if (right.length === 0) return undefined;
    const code = await this.codeOf(tuningProblem);
    if (right.length === 1) return { variant: right[0].variant, code, effort, milliseconds: {} };
    let times: readonly (Timing | undefined)[] | null;
    try {
      times = await timeCalls(this.device, tuningProblem, right, timing);
    } catch (error) {
      if (error instanceof DeviceLostError) throw error;
      this.note(`${tuningProblem.kernel.name} was not measured: ${(error as Error).message}`);
      return undefined;
    }
    if (times === null) return undefined;
    for (const [index, time] of times.entries()) {
      const key = codeKey(tuningProblem, right[index]);
      if (time === undefined) this.hopeless.set(key, (this.hopeless.get(key) ?? 0) + 1);
    }
    const milliseconds = Object.fromEntries(
      right.flatMap(({ variant }, index) => (times[index] === undefined ? [] : [[variant, times[index].median]])),
    );
    return { variant: right[fastest(times)].variant, code, effort, milliseconds };
  }

  /** The digest of all variants that there are to choose from. */
  private codeOf({ calls }: TuningProblem): Promise<string> {
    return codeDigest(calls, this.digests);
  }

  private note(note: string): void {
    if (this.reported.has(note)) return;
    this.reported.add(note);
    this.options.onNote?.(note);
  }
}

const codeKey = ({ kernel }: TuningProblem, { dispatches }: KernelCall): string =>
  [kernel.name, ...dispatches.map(pipelineKey)].join('\n');

/** The calls with the preferred one first, where it is among them. */
function inOrder(calls: readonly KernelCall[], variant: string | undefined): readonly KernelCall[] {
  const preferred = calls.find((call) => call.variant === variant);
  return preferred === undefined ? calls : [preferred, ...calls.filter((call) => call !== preferred)];
}

/** Index of the fastest: the first, which the kernel prefers, unless another is faster by more than the noise. */
export function fastest(times: readonly (Timing | undefined)[]): number {
  let best = times.findIndex((time) => time !== undefined);
  const preferred = times[0];
  for (const [index, time] of times.entries()) {
    if (time === undefined || time.median >= (times[best] as Timing).median) continue;
    if (
      preferred !== undefined &&
      preferred.median - time.median <= Math.max(CLEAR_MARGIN * preferred.median, preferred.spread, time.spread)
    )
      continue;
    best = index;
  }
  return best;
}

/**
 * Grows with the time that a graph spends on a problem; a byte weighs as much as a few operations on every adapter.
 */
function expense({ kernel, problem, uses }: TuningProblem): number {
  const OPERATIONS_PER_BYTE = 8;
  const { flop, bytes } = kernel.cost(problem as never);
  return uses * (flop + OPERATIONS_PER_BYTE * bytes);
}
