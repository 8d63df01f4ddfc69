import type { Cost } from '../../kernels/kernel.ts';
import type { Ceilings } from './ceilings.ts';

/** The ceilings that the model needs. */
export type RooflineCeilings = Pick<Ceilings, 'gigaflops' | 'gigabytes' | 'dispatch'>;

/** Which ceiling a problem meets first: arithmetic, memory, or that a dispatch costs something even if it does nothing. */
export type Ceiling = 'arithmetic' | 'memory' | 'launch';

/** What explains a measured time. `latency` is what is left where no ceiling does. */
export type Bound = Ceiling | 'latency';

export interface Roofline {
  /** Milliseconds below which the roofline says that no kernel gets. */
  readonly milliseconds: number;
  readonly bound: Ceiling;
}

/** A ceiling explains a time if it accounts for at least this share of it. */
export const EXPLAINED = 0.5;

/**
 * The roofline model (Williams, Waterman and Patterson 2009): a kernel runs at no more than min(arithmetic ceiling,
 * bandwidth ceiling * FLOP per byte), each operand crossing the bus once. Caches and algorithms that need fewer
 * operations (Winograd) can pass it. Dispatches do not raise its time, but say so where they would take more.
 */
export function rooflineOf({ flop, bytes }: Cost, dispatches: number, ceilings: RooflineCeilings): Roofline {
  const compute = flop / ceilings.gigaflops / 1e6;
  const memory = bytes / ceilings.gigabytes / 1e6;
  const milliseconds = Math.max(compute, memory);
  if (dispatches * ceilings.dispatch > milliseconds) return { milliseconds, bound: 'launch' };
  return { milliseconds, bound: compute > memory ? 'arithmetic' : 'memory' };
}

/**
 * What bounds a kernel that took so long. `launch`, `arithmetic` or `memory`: that ceiling alone accounts for at least
 * half of the time. `latency`: none does, so the kernel waits: for loads that depend on one another, for barriers, for
 * too few invocations, for atomics, or for operations that `cost` does not count.
 */
export function boundOf(milliseconds: number, cost: Cost, dispatches: number, ceilings: RooflineCeilings): Bound {
  const roofline = rooflineOf(cost, dispatches, ceilings);
  const least = Math.max(roofline.milliseconds, dispatches * ceilings.dispatch);
  return least >= EXPLAINED * milliseconds ? roofline.bound : 'latency';
}
