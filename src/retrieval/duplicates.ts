/** Groups of pictures that are copies of each other, or nearly. */
import { ExactSearch } from './exact/exact-search.ts';

/**
 * The cosine from which two pictures count as near duplicates, if no other is given. With the shipped search model, 80
 * drawings saved as JPEG of quality 50 had cosines of at least 0.988 with their originals, and no two different ones
 * more than 0.902.
 */
export const DUPLICATE_SIMILARITY = 0.97;

/** What the groups are found in. */
export interface DuplicateSearch {
  /** [n, dimension]. */
  readonly embeddings: Float32Array;
  readonly dimension: number;
  /** Of each picture's content, [n]: equal ones are exact copies. Omitted, only embeddings are compared. */
  readonly digests?: readonly string[];
  /** The least cosine of two near duplicates. */
  readonly least?: number;
  /** Is called with the number of rows that were compared. */
  readonly onProgress?: (rows: number) => void;
}

/**
 * Groups of two or more rows. A row is in a group if it is a copy or a near duplicate of one of the group's rows, so two
 * rows of a group can be less alike than `least`. Time grows with the square of the number of rows, memory with the
 * number.
 * @returns rows in rising order; groups in the order of their first rows
 */
export function duplicateGroups({
  embeddings,
  dimension,
  digests,
  least = DUPLICATE_SIMILARITY,
  onProgress,
}: DuplicateSearch): number[][] {
  const search = new ExactSearch(embeddings, dimension);
  const sets = new DisjointSets(search.count);
  const byDigest = new Map<string, number>();
  digests?.forEach((digest, row) => {
    const first = byDigest.get(digest);
    if (first === undefined) byDigest.set(digest, row);
    else sets.join(first, row);
  });
  search.eachPair(
    least,
    (row, other) => sets.join(row, other),
    (row, other) => sets.root(row) === sets.root(other),
    onProgress,
  );
  const groups = new Map<number, number[]>();
  for (let row = 0; row < search.count; row++) {
    const root = sets.root(row);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [row]);
    else group.push(row);
  }
  return [...groups.values()].filter(({ length }) => length > 1);
}

/** Union-find with path halving. The root of a set is its least member. */
class DisjointSets {
  private readonly parents: Uint32Array;

  constructor(count: number) {
    this.parents = Uint32Array.from({ length: count }, (_, member) => member);
  }

  root(member: number): number {
    const { parents } = this;
    while (parents[member] !== member) member = parents[member] = parents[parents[member]];
    return member;
  }

  join(one: number, other: number): void {
    const [a, b] = [this.root(one), this.root(other)];
    this.parents[Math.max(a, b)] = Math.min(a, b);
  }
}
