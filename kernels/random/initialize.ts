import { f32 } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { philox4x32 } from './philox.ts';
import { fill } from '../elementwise/fill.ts';
import { exact, type Kernel } from '../kernel.ts';

/** What the numbers are drawn from; floats are rounded to float32. */
export type Distribution =
  /** Uniform in [-bound, bound). */
  | { readonly kind: 'uniform'; readonly bound: number }
  /** Mean 0; a sum of twelve uniform numbers, so never beyond 6 deviations. */
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'constant'; readonly value: number };

export interface InitializeProblem {
  readonly count: number;
  readonly distribution: Distribution;
  /** Philox' key, two u32 words: by the convention of src/random/philox.ts a seed and a stream. */
  readonly key: readonly [number, number];
  /** The upper words of Philox' counter, which keep the tensors of a network apart. */
  readonly address: readonly [number, number];
}

const WORKGROUP_SIZE = 64;

/**
 * Fills values [count] with random numbers that have equal bits on all adapters and on the CPU.
 *
 * Uniform element e comes from word e of the stream RandomStream(key[0], key[1], address), normal element e from words
 * 6e to 6e + 5. See shaders/random/initialize.wgsl for the arithmetic.
 */
export const initialize: Kernel<InitializeProblem> = {
  name: 'initialize',
  calls: (problem, traits) => {
    const { count, distribution, key, address } = problem;
    if (distribution.kind === 'constant') return fill.calls({ count, value: distribution.value }, traits);
    const normal = distribution.kind === 'normal';
    return [
      {
        variant: distribution.kind,
        operands: { values: { role: 'output', type: 'f32', length: count } },
        dispatches: [
          sliceable(ceilDivide(count, 4), { values: 4 }, (groups, first) => ({
            shader: shaders.initialize,
            constants: { NORMAL: normal, WORKGROUP_SIZE },
            parameters: [
              Math.min(4 * groups, count - 4 * first),
              ...key,
              ...address,
              f32(normal ? distribution.deviation : distribution.bound),
              first,
            ],
            operands: ['values'],
            workgroups: foldGrid(ceilDivide(groups, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: (problem) => ({ values: exact(initialValues(problem)) }),
  cost: ({ count }) => ({ flop: count, bytes: 4 * count }),
  cases: [
    { count: 1, distribution: { kind: 'uniform', bound: 1 }, key: [0, 0], address: [0, 0] },
    { count: 7, distribution: { kind: 'normal', deviation: 1 }, key: [0xffffffff, 1], address: [2, 3] },
    { count: 257, distribution: { kind: 'constant', value: 0.1 }, key: [1, 2], address: [0, 0] },
    {
      count: 7 * 7 * 3 * 64,
      distribution: { kind: 'normal', deviation: Math.sqrt(2 / (7 * 7 * 64)) },
      key: [42, 0],
      address: [1, 0],
    },
    {
      count: 20001,
      distribution: { kind: 'uniform', bound: 1 / Math.sqrt(2048) },
      key: [42, 0],
      address: [0xffffffff, 0x80000000],
    },
  ],
};

/** The same values on the CPU, for weights that must not wait for a device. */
export function initialValues({ count, distribution, key, address }: InitializeProblem): Float64Array {
  const word = (index: number): number => philox4x32([Math.floor(index / 4), 0, ...address], key)[index % 4];
  const element = (index: number): number => {
    switch (distribution.kind) {
      case 'constant':
        return distribution.value;
      case 'uniform':
        return (((word(index) >>> 8) - 2 ** 23) / 2 ** 23) * Math.fround(distribution.bound);
      case 'normal': {
        let sum = 0;
        for (let i = 6 * index; i < 6 * index + 6; i++) sum += (word(i) & 0xffff) + (word(i) >>> 16);
        return ((sum - 6 * 65535) / 65536) * Math.fround(distribution.deviation);
      }
    }
  };
  // A product of two float32 numbers is exact in float64, so that rounding it is the device's one rounding.
  return Float64Array.from({ length: count }, (_, index) => Math.fround(element(index)));
}
