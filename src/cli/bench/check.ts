/** `--check`: a kernel's results against a function of the user's on the CPU. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OverrideValues } from '../../benchmark/wgsl/interface.ts';
import type { Numbers } from '../../benchmark/wgsl/prepared-kernel.ts';
import type { CheckResult } from '../../benchmark/wgsl/result.ts';
import { OptionError } from '../options/option.ts';

/** What the function is told besides its inputs. */
export interface CheckedLaunch {
  readonly file: string;
  readonly overrides: OverrideValues;
  readonly workgroups: readonly number[];
  readonly workgroupSize: readonly number[];
}

/** An expected output: its numbers, and for each of them how far the kernel may be from it. */
export type ExpectedOutput =
  ArrayLike<number> | { readonly value: ArrayLike<number>; readonly error: ArrayLike<number> };

/**
 * The function that a --check file exports by default: from the numbers of all buffers by name, as they are before the
 * dispatch, to those of some outputs after it.
 */
export type CheckFunction = (
  inputs: Numbers,
  launch: CheckedLaunch,
) => Readonly<Record<string, ExpectedOutput>> | Promise<Readonly<Record<string, ExpectedOutput>>>;

/** Relative to the expected value, and absolute. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

export function parseTolerance(typed: string): Tolerance {
  const [relative, absolute = relative, ...more] = typed.split(',').map(Number);
  if (more.length > 0 || !(relative >= 0) || !(absolute >= 0))
    throw new OptionError(`--tolerance ${typed}: one number of at least 0 is needed, or two: relative,absolute`);
  return { relative, absolute };
}

/** @throws OptionError where the file cannot be loaded or exports no function */
export async function loadCheck(file: string): Promise<CheckFunction> {
  const module = (await import(pathToFileURL(path.resolve(file)).href).catch((cause: unknown) => {
    throw new OptionError(`--check ${file}: ${(cause as Error).message}`, { cause });
  })) as { default?: unknown };
  if (typeof module.default !== 'function')
    throw new OptionError(
      `--check ${file}: it must export a function by default: (inputs, launch) => ({ NAME: numbers })`,
    );
  return module.default as CheckFunction;
}

/** @throws OptionError where the function gives what is no output of the kernel */
export async function checkOutputs(
  file: string,
  check: CheckFunction,
  { inputs, outputs }: { readonly inputs: Numbers; readonly outputs: Numbers },
  launch: CheckedLaunch,
  tolerance: Tolerance,
): Promise<CheckResult> {
  const expected = await check(inputs, launch);
  const names = Object.keys(expected);
  if (names.length === 0) throw new OptionError(`--check ${file}: it returned no output`);
  const compared = names.map((name): CheckResult['outputs'][number] => {
    const got = outputs[name] as Numbers[string] | undefined;
    if (got === undefined)
      throw new OptionError(
        `--check ${file}: ${name} is no buffer that ${launch.file} may write; those are ${Object.keys(outputs).join(', ')}`,
      );
    const one = expected[name];
    const { value, error } = 'value' in one ? one : { value: one, error: undefined };
    if (value.length > got.length)
      throw new OptionError(`--check ${file}: ${name} has ${got.length} numbers, and ${value.length} are expected`);
    let wrong = 0;
    let worst = { index: 0, got: got[0], expected: Number(value[0]), allowed: 0 };
    let most = -1;
    for (let index = 0; index < value.length; index++) {
      const wanted = Number(value[index]);
      const allowed =
        error === undefined ? tolerance.absolute + tolerance.relative * Math.abs(wanted) : Number(error[index]);
      const ratio = ratioOf(got[index], wanted, allowed);
      if (ratio > 1) wrong++;
      if (ratio > most) {
        most = ratio;
        worst = { index, got: got[index], expected: wanted, allowed };
      }
    }
    return { name, wrong, elements: value.length, worst };
  });
  return { passed: compared.every(({ wrong }) => wrong === 0), outputs: compared };
}

/** How far a number is from the expected one, in terms of what is allowed. What is not finite matches only itself. */
function ratioOf(got: number, wanted: number, allowed: number): number {
  if (Object.is(got, wanted) || got === wanted) return 0;
  const difference = Math.abs(got - wanted);
  return Number.isFinite(difference) && allowed > 0 ? difference / allowed : Infinity;
}
