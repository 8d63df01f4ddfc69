/** An answer with what is too unlike the query marked. */
export interface MarkedResults<Result> {
  /** Whether even the best result is below the cut-off, or there is none; false without a cut-off. */
  readonly nothingLike: boolean;
  readonly results: readonly (Result & { readonly belowCutOff?: boolean })[];
}

/**
 * Marks the results whose similarity is below the one from which an answer means something.
 * @param results best first
 * @param cutOff a cosine; undefined where a model was not calibrated, and then nothing is marked
 */
export function markBelow<Result extends { readonly similarity: number }>(
  results: readonly Result[],
  cutOff: number | undefined,
): MarkedResults<Result> {
  if (cutOff === undefined) return { nothingLike: false, results };
  return {
    nothingLike: !(results.length > 0 && results[0].similarity >= cutOff),
    results: results.map((result) => (result.similarity < cutOff ? { ...result, belowCutOff: true } : result)),
  };
}
