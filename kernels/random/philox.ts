/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw,
 * "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 *
 * A counter-based generator is a function and not a machine: word `i` of a stream can be computed
 * without the words before it. That is why sketchgrad uses it everywhere. The GPU computes any
 * element by itself, and a resumed run needs only to know how far it had come.
 */

export type PhiloxCounter = readonly [number, number, number, number];
export type PhiloxKey = readonly [number, number];

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
/** Weyl increments of the key: the golden ratio and the square root of 3, less 1, in 32 bits. */
const KEY_INCREMENT_0 = 0x9e3779b9;
const KEY_INCREMENT_1 = 0xbb67ae85;

/** The upper 32 bits of the 64-bit product of two u32 words, exact. */
export const multiplyHigh = (a: number, b: number): number => upperWord(a, b, Math.imul(a, b) >>> 0);

/**
 * A double rounds the product, by 2^10 at most. Less its lower word, which is known, it is a multiple of 2^32 up to
 * that error, so that the nearest multiple is the right one.
 */
const upperWord = (a: number, b: number, lower: number): number => Math.round((a * b - lower) / 0x100000000);

/**
 * Ten rounds of Philox on a 128-bit counter under a 64-bit key.
 *
 * @param counter four u32 words, the least significant first
 * @param key two u32 words
 * @returns four u32 words, uniformly distributed
 */
export function philox4x32(counter: PhiloxCounter, key: PhiloxKey): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high0 = upperWord(MULTIPLIER_0, c0, low0);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    const high1 = upperWord(MULTIPLIER_1, c2, low1);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + KEY_INCREMENT_0) >>> 0;
    k1 = (k1 + KEY_INCREMENT_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}
