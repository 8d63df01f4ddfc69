/** The element of a result that is furthest from its reference. */
export interface Deviation {
  readonly element: number;
  /** In units of the element's own error bound: up to 1 is right. Infinity where a number should be and none is. */
  readonly ratio: number;
}

/**
 * Compares on the host, where NaN and Infinity are what IEEE 754 says: a non-finite value passes only for the very same
 * one.
 * @returns the worst element; ratio 0 where all are exact
 */
export function worstDeviation(
  actual: ArrayLike<number>,
  { value, error }: { readonly value: ArrayLike<number>; readonly error: ArrayLike<number> },
): Deviation {
  let worst: Deviation = { element: 0, ratio: 0 };
  for (let element = 0; element < value.length; element++) {
    const ratio = deviation(actual[element], value[element], error[element]);
    if (ratio > worst.ratio) worst = { element, ratio };
  }
  return worst;
}

function deviation(actual: number, expected: number, error: number): number {
  if (actual === expected || Object.is(actual, expected)) return 0;
  const ratio = Math.abs(actual - expected) / error;
  // NaN makes every comparison false: said here once, so that it cannot slip through one.
  return Number.isFinite(actual) && Number.isFinite(expected) && !Number.isNaN(ratio) ? ratio : Infinity;
}
