import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import type { AnyKernel, Expected, Kernel, KernelCall, Values } from '../../kernels/kernel.ts';
import { problemText, type TuningProblem } from '../autodiff/variant-selector.ts';
import type { Device } from '../gpu/device.ts';
import { DeviceLostError } from '../gpu/errors.ts';
import { runKernel } from '../gpu/run-kernel.ts';
import { RandomStream } from '../random/philox.ts';
import { float16ToFloat32Bits, float32ToFloat16Bits, narrow, widen } from '../../kernels/contract/half.ts';
import { worstDeviation } from './comparison.ts';
import { Digests } from './digests.ts';
import { Trials, type Trial } from './trials.ts';

/** What is known of a variant on a device. */
export type Verdict =
  /**
   * It reproduced its reference. `worst` is the largest error in units of its bound; absent where an earlier run found
   * out.
   */
  | { readonly standing: 'right'; readonly worst?: number }
  | { readonly standing: 'wrong'; readonly reason: string }
  /** Nothing small enough for a reference runs its code. */
  | { readonly standing: 'unproven' };

/** Seed of the numbers on which variants are verified. */
const SEED = 0;

/**
 * Verifies variants on a device before they are used there: in all their trials, each element within its bound.
 */
export class Qualification {
  private readonly device: Device;
  private readonly digests = new Digests();
  private readonly proven: Set<string>;
  private readonly verdicts = new Map<string, Promise<Verdict>>();
  private readonly trials: Trials;
  private testsRun = 0;
  private readonly references = new Map<
    string,
    { readonly inputs: Values; readonly expected: Readonly<Record<string, Expected>> }
  >();

  /** @param proven digests of tests that were passed on this adapter and driver before; those that follow are added */
  constructor(device: Device, proven: Set<string> = new Set()) {
    this.device = device;
    this.trials = new Trials(device.traits);
    this.proven = proven;
  }

  /** Verifies a variant, unless that was done before; the same code is verified once. */
  async verdict(tuningProblem: TuningProblem, call: KernelCall): Promise<Verdict> {
    const trials = this.trials.of(tuningProblem, call);
    if (trials === null) return { standing: 'unproven' };
    const digest = await this.digest(tuningProblem.kernel, trials);
    let verdict = this.verdicts.get(digest);
    if (verdict === undefined) {
      verdict = this.proven.has(digest)
        ? Promise.resolve({ standing: 'right' })
        : this.test(tuningProblem.kernel, trials);
      this.verdicts.set(digest, verdict);
    }
    const found = await verdict;
    if (found.standing === 'right') this.proven.add(digest);
    return found;
  }

  /**
   * Compiles all that verifying these variants needs and that is not proven yet, at once: a driver compiles in parallel
   * what would otherwise come one after the other. What does not compile is left to its verdict.
   */
  async compile(
    variants: readonly (readonly [TuningProblem, KernelCall])[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    const dispatches: Dispatch[] = [];
    for (const [tuningProblem, call] of variants) {
      const trials = this.trials.of(tuningProblem, call) ?? [];
      const digest = await this.digest(tuningProblem.kernel, trials);
      if (!this.proven.has(digest) && !this.verdicts.has(digest))
        dispatches.push(...trials.flatMap((trial) => trial.call.dispatches));
    }
    if (dispatches.length === 0) return;
    await this.device.pipelines.getAll(dispatches, onProgress).catch((error: unknown) => {
      if (error instanceof DeviceLostError) throw error;
    });
  }

  /** Tests that were run, those of earlier runs not counted. */
  get tests(): number {
    return this.testsRun;
  }

  /** Lets go of the references, which are large. */
  forgetReferences(): void {
    this.references.clear();
  }

  /** Another shader, launch or case makes another digest. */
  private async digest({ name }: AnyKernel, trials: readonly Trial[]): Promise<string> {
    const parts = await Promise.all(
      trials.map(async ({ problem, call }) => [problemText(problem), await this.digests.ofCall(call)]),
    );
    return this.digests.of(JSON.stringify([name, parts]));
  }

  private async test(kernel: AnyKernel, trials: readonly Trial[]): Promise<Verdict> {
    this.testsRun++;
    let worst = 0;
    for (const { problem, call } of trials) {
      const { inputs, expected } = this.referenceOf(kernel, problem, call);
      const where = `on ${problemText(problem)}`;
      let actual: Awaited<ReturnType<typeof runKernel>>;
      try {
        actual = await runKernel(this.device, call, inputs);
      } catch (error) {
        if (error instanceof DeviceLostError) throw error;
        return { standing: 'wrong', reason: `it failed ${where}: ${(error as Error).message}` };
      }
      for (const [operand, reference] of Object.entries(expectedOf(call, inputs, expected))) {
        const { element, ratio } = worstDeviation(actual[operand], reference);
        worst = Math.max(worst, ratio);
        if (ratio > 1) {
          const { value, error } = reference;
          return {
            standing: 'wrong',
            reason: `${operand}[${element}] is ${actual[operand][element]}, expected ${value[element]} within ${error[element]}, ${where}`,
          };
        }
      }
    }
    return { standing: 'right', worst };
  }

  private referenceOf(
    kernel: AnyKernel,
    problem: unknown,
    call: KernelCall,
  ): { readonly inputs: Values; readonly expected: Readonly<Record<string, Expected>> } {
    const key = `${kernel.name} ${problemText(problem)}`;
    let reference = this.references.get(key);
    if (reference === undefined) {
      const random = new RandomStream(SEED, 0);
      const inputs = sampleInputs(kernel, problem as never, call, () => 2 * random.uniform() - 1);
      reference = { inputs, expected: kernel.reference(problem as never, inputs) };
      this.references.set(key, reference);
    }
    return reference;
  }
}

/** The reference with the bounds that hold for a variant: its own where it has some. */
export function expectedOf(
  call: KernelCall,
  inputs: Values,
  reference: Readonly<Record<string, Expected>>,
): Readonly<Record<string, Expected>> {
  const bounds = call.errorBound?.(inputs) ?? {};
  return Object.fromEntries(
    Object.entries(reference).map(([name, { value, error }]) => [name, { value, error: bounds[name] ?? error }]),
  );
}

/**
 * Inputs of a problem: of its own kind where it has one (labels, probabilities), else uniform numbers in [-1, 1). Those
 * that the device gets as 16-bit floats are such numbers, so that kernel and reference begin with the same.
 */
export function sampleInputs<Problem>(
  kernel: Pick<Kernel<Problem>, 'sampleInputs'>,
  problem: Problem,
  call: KernelCall,
  uniform: () => number,
): Values {
  const given = Object.entries(call.operands).filter(([, { role }]) => role === 'input' || role === 'inout');
  const inputs =
    kernel.sampleInputs?.(problem, uniform) ??
    Object.fromEntries(given.map(([name, { length }]) => [name, drawn(length, uniform)]));
  return Object.fromEntries(
    Object.entries(inputs).map(([name, values]) => [
      name,
      call.operands[name]?.type === 'f16' ? nearestHalves(values) : values,
    ]),
  );
}

/** A loop: `Float64Array.from` with a function takes several times as long. */
function drawn(length: number, uniform: () => number): Float64Array {
  const values = new Float64Array(length);
  for (let index = 0; index < length; index++) values[index] = uniform();
  return values;
}

const nearestHalves = (values: Float64Array): Float64Array =>
  Float64Array.from(widen(narrow(Float32Array.from(values), float32ToFloat16Bits), float16ToFloat32Bits));
