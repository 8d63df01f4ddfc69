import { BestItems, type RankedItem } from './ranking.ts';
import { requireCount, RetrievalError, rowNorms } from './vectors.ts';

/**
 * Ranks candidates, such as the nearest binary codes (`rankCodes`), by the cosines of their vectors. The result is that of
 * a search of the whole gallery as far as its k nearest rows are among the candidates.
 * @param query [dimension]
 * @param gallery [n, dimension]; only the candidates' rows are read
 * @param candidates rows of the gallery, in any order, each once
 * @returns the k nearest candidates, best first, equal ones by their row; cosines as `rankGallery` computes them
 * @throws RetrievalError where sizes disagree, a value is not finite, or a candidate is no row
 */
export function rerank(
  query: Float32Array,
  gallery: Float32Array,
  dimension: number,
  candidates: Iterable<number>,
  k: number,
): RankedItem[] {
  requireCount('k', k);
  if (query.length !== dimension)
    throw new RetrievalError(`one query of ${dimension} values is needed, there are ${query.length}`);
  const [norm] = rowNorms('query', query, dimension);
  const best = new BestItems(k);
  // Equal scores are kept in the order in which they are offered.
  for (const row of Float64Array.from(candidates).sort()) {
    if (!Number.isInteger(row) || row < 0 || (row + 1) * dimension > gallery.length)
      throw new RetrievalError(`candidate ${row} is none of the ${Math.floor(gallery.length / dimension)} rows`);
    let sum = 0;
    let squares = 0;
    for (let i = 0, at = row * dimension; i < dimension; i++, at++) {
      sum += gallery[at] * query[i];
      squares += gallery[at] * gallery[at];
    }
    if (!Number.isFinite(squares))
      throw new RetrievalError(`the gallery embedding ${row} has a value that is not finite`);
    best.offer(row, Math.fround(sum / ((Math.sqrt(squares) || 1) * (norm || 1))));
  }
  return best.list();
}
