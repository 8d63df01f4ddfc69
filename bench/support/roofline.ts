import type { Cost } from '../../kernels/kernel.ts';
import type { Ceilings } from './ceilings.ts';

/**
 * What keeps a problem from taking less time: arithmetic, memory, or that a dispatch costs something even if it does
 * nothing.
 */
export type Bound = 'compute' | 'memory' | 'launch';

export interface Roofline {
  /** Milliseconds below which the roofline says that no kernel gets. */
  readonly milliseconds: number;
  readonly bound: Bound;
}

/**
 * The roofline model (Williams, Waterman and Patterson 2009): a kernel runs at no more than min(arithmetic ceiling,
 * bandwidth ceiling * FLOP per byte), each operand crossing the bus once. Caches and algorithms that need fewer
 * operations (Winograd) can pass it. Dispatches do not raise its time, but say so where they would take more.
 */
export function rooflineOf(
  { flop, bytes }: Cost,
  dispatches: number,
  ceilings: Pick<Ceilings, 'gigaflops' | 'gigabytes' | 'dispatch'>,
): Roofline {
  const compute = flop / ceilings.gigaflops / 1e6;
  const memory = bytes / ceilings.gigabytes / 1e6;
  const milliseconds = Math.max(compute, memory);
  if (dispatches * ceilings.dispatch > milliseconds) return { milliseconds, bound: 'launch' };
  return { milliseconds, bound: compute > memory ? 'compute' : 'memory' };
}
