/**
 * The rows that can still be among the k best when only bounds of their scores are known.
 *
 * The k-th best lower bound of all rows is a score that k rows reach; a row whose upper bound is below it is not among
 * the k best. The k best lower bounds are in a heap, the least of them on top.
 */
export class Candidates {
  /** Rows with an upper bound below it need not be offered. */
  least = -Infinity;
  private readonly heap: Float64Array;
  private filled = 0;
  private places: number[] = [];
  private uppers: number[] = [];
  private pruneAt: number;

  constructor(private readonly k: number) {
    this.heap = new Float64Array(k);
    this.pruneAt = 4 * k + 64;
  }

  /** @param bound how far the score can be from the one given */
  offer(place: number, score: number, bound: number): void {
    this.places.push(place);
    this.uppers.push(score + bound);
    this.raise(score - bound);
    if (this.places.length >= this.pruneAt) {
      this.prune();
      // If many rows are equal, all of them stay; checking them each time would take quadratic time.
      this.pruneAt = Math.max(this.pruneAt, 2 * this.places.length);
    }
  }

  /** The rows that are left, in the order in which they were offered. */
  rows(): readonly number[] {
    this.prune();
    return this.places;
  }

  private prune(): void {
    let kept = 0;
    for (let i = 0; i < this.places.length; i++) {
      if (this.uppers[i] < this.least) continue;
      this.places[kept] = this.places[i];
      this.uppers[kept++] = this.uppers[i];
    }
    this.places.length = kept;
    this.uppers.length = kept;
  }

  /** Takes a lower bound into the heap where it is one of the k best. */
  private raise(lower: number): void {
    const { heap, k } = this;
    if (this.filled < k) {
      let at = this.filled++;
      for (; at > 0; at = (at - 1) >> 1) {
        const parent = (at - 1) >> 1;
        if (heap[parent] <= lower) break;
        heap[at] = heap[parent];
      }
      heap[at] = lower;
    } else if (lower > heap[0]) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= k) break;
        if (child + 1 < k && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= lower) break;
        heap[at] = heap[child];
        at = child;
      }
      heap[at] = lower;
    }
    if (this.filled === k) this.least = heap[0];
  }
}
