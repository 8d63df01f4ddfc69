import type { Expected } from '../kernel.ts';

/** Expected values for a reference to fill in, element by element with their errors. */
export function blankExpected(length: number): Expected {
  return { value: new Float64Array(length), error: new Float64Array(length) };
}
