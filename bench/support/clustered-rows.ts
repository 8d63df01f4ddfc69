import { closeSync, openSync, writeSync } from 'node:fs';
import { RandomStream } from '../../src/random/philox.ts';

/** Values of each centre. */
const CENTRES = 1000;
/** Bytes of one write. */
const WRITTEN_BYTES = 2 ** 26;

/**
 * Rows of length 1 around 1,000 centres, in shared memory: embeddings of classes.
 * @param seed of the rows; the centres are the same for all
 * @returns [count, dimension]
 */
export function clusteredRows(count: number, dimension: number, seed: number): Float32Array {
  const fixed = new RandomStream(7, 0);
  const centres = Float32Array.from({ length: CENTRES * dimension }, () => fixed.uniform() - 0.5);
  const rows = new Float32Array(new SharedArrayBuffer(4 * count * dimension));
  // A generator of 32 bits that is fast: 10^9 numbers are drawn, and nothing depends on their quality.
  let state = 0x9e3779b9 ^ (seed + 1);
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let row = 0, at = 0; row < count; row++) {
    const centre = Math.floor(next() * CENTRES) * dimension;
    let squares = 0;
    for (let i = 0; i < dimension; i++) {
      const value = centres[centre + i] + next() - 0.5;
      rows[at + i] = value;
      squares += value * value;
    }
    const scale = 1 / Math.sqrt(squares);
    for (let i = 0; i < dimension; i++, at++) rows[at] *= scale;
  }
  return rows;
}

/** Writes rows as their bytes, in parts: Node writes at most 2 GiB at once. */
export function writeRows(file: string, rows: Float32Array): void {
  const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
  const handle = openSync(file, 'w');
  try {
    for (let first = 0; first < bytes.length; first += WRITTEN_BYTES)
      writeSync(handle, bytes.subarray(first, first + WRITTEN_BYTES));
  } finally {
    closeSync(handle);
  }
}
