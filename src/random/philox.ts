import { philox4x32 } from '../../kernels/random/philox.ts';

/** What a stream is for. Streams of one seed never share a word, whatever their addresses are. */
export const STREAM = {
  initialisation: 0,
  order: 1,
  augmentation: 2,
  split: 3,
  distillation: 4,
  simulation: 5,
  appearance: 6,
} as const;

/** Everything a stream is made of: plain numbers, so that JSON keeps it exactly. */
export interface RandomState {
  readonly seed: number;
  readonly stream: number;
  readonly address: readonly [number, number];
  /** u32 words drawn so far. */
  readonly drawn: number;
}

/**
 * A sequence of random numbers, fixed by a seed, a stream and an address.
 *
 * The seed and the stream are Philox' key, the address is the upper half of its counter: there are
 * 2^64 independent sequences of 2^53 words under each key. An address names the thing the numbers
 * are for, as (step, position in the batch), so that no draw depends on how many came before.
 */
export class RandomStream {
  private drawn = 0;
  private block: readonly number[] = [];

  /**
   * @param seed the run's seed, u32
   * @param stream what the numbers are for, u32; see {@link STREAM}
   * @param address two u32 words naming the thing they are for
   * @throws RangeError where one of them is no u32
   */
  constructor(
    private readonly seed: number,
    private readonly stream: number,
    private readonly address: readonly [number, number] = [0, 0],
  ) {
    for (const [name, word] of Object.entries({ seed, stream, 'address[0]': address[0], 'address[1]': address[1] })) {
      if (!Number.isInteger(word) || word < 0 || word > 0xffffffff) {
        throw new RangeError(`RandomStream: ${name} must be a whole number from 0 to 4294967295, and it is ${word}`);
      }
    }
  }

  /** The stream that goes on exactly where `state` was taken. */
  static fromState(state: RandomState): RandomStream {
    const stream = new RandomStream(state.seed, state.stream, state.address);
    if (!Number.isSafeInteger(state.drawn) || state.drawn < 0) {
      throw new RangeError(`RandomStream: drawn must be a whole number, and it is ${state.drawn}`);
    }
    stream.drawn = state.drawn;
    if (state.drawn % 4 !== 0) stream.block = stream.blockAt(Math.floor(state.drawn / 4));
    return stream;
  }

  get state(): RandomState {
    return { seed: this.seed, stream: this.stream, address: this.address, drawn: this.drawn };
  }

  /** The next u32 word. */
  word(): number {
    const lane = this.drawn % 4;
    if (lane === 0) this.block = this.blockAt(this.drawn / 4);
    this.drawn++;
    return this.block[lane];
  }

  /** Uniform in [0, 1): 24 bits, so that the value is the same in f32. */
  uniform(): number {
    return (this.word() >>> 8) / 0x1000000;
  }

  /** Standard normal, by Box and Muller's transform. Its sine half is left: the state stays one number. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /**
   * Uniform among 0, 1, ..., n - 1. Words in the incomplete last run of n are refused, hence no bias.
   *
   * @throws RangeError unless n is a whole number from 1 to 2^32
   */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 0x100000000) {
      throw new RangeError(`RandomStream.integer: n must be a whole number from 1 to 4294967296, and it is ${n}`);
    }
    const end = Math.floor(0x100000000 / n) * n;
    for (;;) {
      const word = this.word();
      if (word < end) return word % n;
    }
  }

  /** Puts the array in a random order, in place (Fisher and Yates), and returns it. */
  shuffle<T>(array: T[]): T[] {
    for (let last = array.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      [array[last], array[other]] = [array[other], array[last]];
    }
    return array;
  }

  private blockAt(index: number): readonly number[] {
    return philox4x32(
      [index >>> 0, Math.floor(index / 0x100000000), this.address[0], this.address[1]],
      [this.seed, this.stream],
    );
  }
}
