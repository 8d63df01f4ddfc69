import { readdirSync } from 'node:fs';
import type { KernelCall } from '../../kernels/kernel.ts';
import { chosenCall, questionKey, type Choices, type Question } from '../../src/autodiff/choices.ts';
import type { AdapterTraits } from '../../src/gpu/dispatch.ts';
import { problemsOf, type KernelBench, type Work } from './kernel-bench.ts';

const folder = new URL('../kernels/', import.meta.url);

/** The kernels that have a bench, by name. */
export function benchNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.bench.ts'))
    .map((file) => file.replace('.bench.ts', ''))
    .sort();
}

/** One kernel on one of its problems. */
export interface Entry {
  readonly bench: KernelBench<unknown>;
  readonly name: string;
  readonly problemName: string;
  readonly problem: unknown;
}

export interface Selection {
  /** Names of benches; all but the measuring kernels' if there are none. */
  readonly kernels: readonly string[];
  /** Parts of a problem's name, one of which it must have. */
  readonly shapes: readonly string[];
}

/** The problems to be timed, kernel by kernel. */
export async function catalogue({ kernels, shapes }: Selection, work: Work): Promise<Entry[]> {
  const names = benchNames();
  for (const name of kernels) {
    if (!names.includes(name)) throw new RangeError(`no bench is called ${name}; there are ${names.join(', ')}`);
  }
  const entries: Entry[] = [];
  // The measuring kernels give the ceilings at the start of each run.
  for (const name of kernels.length > 0 ? kernels : names.filter((name) => !name.startsWith('measure_'))) {
    const { default: bench } = (await import(new URL(`${name}.bench.ts`, folder).href)) as {
      default: KernelBench<unknown>;
    };
    entries.push(...entriesOf(name, bench, shapes, work));
  }
  if (entries.length === 0) throw new RangeError(`no shape's name contains ${shapes.join(' or ')}`);
  return entries;
}

export function entriesOf(name: string, bench: KernelBench<unknown>, shapes: readonly string[], work: Work): Entry[] {
  return Object.entries(problemsOf(bench, work))
    .filter(([problemName]) => shapes.length === 0 || shapes.some((part) => problemName.includes(part)))
    .map(([problemName, problem]) => ({ bench, name, problemName, problem }));
}

/** What a plan has to decide about an entry; undefined where this adapter has no variant, as without 16-bit floats. */
export function questionOf({ bench: { kernel }, problem }: Entry, traits: AdapterTraits): Question | undefined {
  const calls = kernel.calls(problem, traits);
  return calls.length === 0 ? undefined : { kernel, problem, calls, uses: 1 };
}

/** The variant that a program would run: the one that was chosen, or else the one that the kernel prefers. */
export function chosenVariant(question: Question, choices: Choices | undefined): KernelCall {
  return chosenCall(question.calls, choices?.get(questionKey(question))) as KernelCall;
}
