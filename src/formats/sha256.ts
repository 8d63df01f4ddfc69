/**
 * SHA-256 (FIPS 180-4) in one call. The platform's (`crypto.subtle`) is faster and has to be awaited; this is for
 * readers and writers of small files that are synchronous.
 */

/** The first 32 bits of the fractional parts of the square roots (or cube roots) of the first primes. */
function rootsOfPrimes(count: number, power: number): Uint32Array {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate++)
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  return Uint32Array.from(primes, (prime) => (prime ** power % 1) * 2 ** 32);
}

const INITIAL = rootsOfPrimes(8, 1 / 2);
const ROUND = new Int32Array(rootsOfPrimes(64, 1 / 3));
const BLOCK = 64;

/** @returns the 32 bytes of the digest */
export function sha256(bytes: Uint8Array): Uint8Array {
  const state = INITIAL.slice();
  const whole = bytes.length - (bytes.length % BLOCK);
  addBlocks(state, bytes, whole);
  // The rest, a one bit, zeros, and the length in bits as the last 64 bits.
  const rest = bytes.subarray(whole);
  const tail = new Uint8Array(rest.length + 9 > BLOCK ? 2 * BLOCK : BLOCK);
  tail.set(rest);
  tail[rest.length] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(tail.length - 4, bytes.length << 3);
  addBlocks(state, tail, tail.length);
  const digest = new Uint8Array(32);
  state.forEach((word, index) => new DataView(digest.buffer).setUint32(4 * index, word));
  return digest;
}

const rotate = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));

function addBlocks(state: Uint32Array, bytes: Uint8Array, length: number): void {
  const words = new Int32Array(64);
  for (let start = 0; start < length; start += BLOCK) {
    for (let i = 0, at = start; i < 16; i++, at += 4)
      words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    for (let i = 16; i < 64; i++) {
      const before = words[i - 15];
      const last = words[i - 2];
      const s0 = rotate(before, 7) ^ rotate(before, 18) ^ (before >>> 3);
      const s1 = rotate(last, 17) ^ rotate(last, 19) ^ (last >>> 10);
      words[i] = (words[i - 16] + s0 + words[i - 7] + s1) | 0;
    }
    let a = state[0] | 0,
      b = state[1] | 0,
      c = state[2] | 0,
      d = state[3] | 0,
      e = state[4] | 0,
      f = state[5] | 0,
      g = state[6] | 0,
      h = state[7] | 0;
    for (let i = 0; i < 64; i++) {
      const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0;
      const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}
