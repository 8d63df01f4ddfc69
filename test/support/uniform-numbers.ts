/** Reproducible numbers in [-1, 1) that float32 holds exactly. */
export function uniformNumbers(seed: number): () => number {
  let state = (seed * 0x9e3779b9 + 0x85ebca6b) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  };
}
