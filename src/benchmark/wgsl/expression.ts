import { BenchmarkError } from './error.ts';

/**
 * A product of whole numbers and names, such as 2*1024*1024, or a quotient, such as 1024/TILE/4. The result is rounded
 * up, as a number of workgroups has to be.
 * @param names values of the names
 * @param where what the expression is for, for errors
 * @throws BenchmarkError where it is none, or has a name that is not given
 */
export function evaluate(expression: number | string, names: Readonly<Record<string, number>>, where: string): number {
  const text = String(expression).replace(/\s/g, '');
  if (!/^(\w+(\.\d+)?(e\+?\d+)?)([*/]\w+(\.\d+)?(e\+?\d+)?)*$/i.test(text))
    throw new BenchmarkError(`${where}: ${String(expression)} is no number, product or quotient, such as 1024/TILE`);
  let result = 1;
  for (const [, operator, word] of `*${text}`.matchAll(/([*/])([^*/]+)/g)) {
    const value = names[word] ?? Number(word);
    if (Number.isNaN(value))
      throw new BenchmarkError(
        `${where}: ${String(expression)}: there is no value for ${word}; give it with --override ${word}=VALUE`,
      );
    result = operator === '*' ? result * value : result / value;
  }
  const rounded = Math.ceil(result - 1e-9);
  if (!(rounded > 0) || !Number.isSafeInteger(rounded))
    throw new BenchmarkError(`${where}: ${String(expression)} is ${result}; a number above 0 is needed`);
  return rounded;
}
