import { slotBytes } from '../gpu/readback.ts';
import { uniformLayout } from '../gpu/sequence.ts';
import { plan, type Plan, type PlanOptions } from './plan.ts';
import { storeBytes } from './device-storage.ts';
import type { ParameterStore, Tensor } from './tensor.ts';

/** Steps whose results may be on their way at once: enough that the device never waits for the host. */
export const RUNS_IN_FLIGHT = 3;

/** What programs hold on the device, known before any of it is allocated; in bytes. */
export interface DeviceMemory {
  /** Intermediates and scratch. */
  readonly arena: number;
  /** Inputs and constants. */
  readonly given: number;
  /** Staging buffers of large inputs. */
  readonly upload: number;
  /** Staging buffers of results. */
  readonly readback: number;
  readonly uniforms: number;
  /** Parameters, gradients, moments, statistics; shared between the programs of a storage. */
  readonly stores: number;
  readonly total: number;
}

/** A budget below what the work needs. */
export class MemoryBudgetError extends Error {
  override readonly name = 'MemoryBudgetError';
  /** The least budget that would do, in bytes. */
  readonly minimum: number;

  constructor(budget: number, minimum: number, reason = '') {
    super(
      `a memory budget of ${formatBytes(budget)} is too small: the minimum here is ${minimum} bytes (${formatBytes(minimum)})${reason}. Give that much, or use a smaller batch or resolution.`,
    );
    this.minimum = minimum;
  }
}

/** The size of an input's or a constant's buffer: whole vectors of four. */
export const givenBytes = (tensor: Tensor): number => Math.ceil(tensor.bytes / 16) * 16;

/** A program's plan, or the plans of several that run sequentially and share one arena. */
export type ArenaUsers = Plan | readonly Plan[];

/** Device memory of several plans that share a storage, each compiled to a program of its own. */
export function deviceMemory(arenas: readonly ArenaUsers[], uniformAlignment: number): DeviceMemory {
  const sum = <T>(items: readonly T[], bytes: (item: T) => number): number =>
    items.reduce((total, item) => total + bytes(item), 0);
  const plans = arenas.flat();
  const stores = new Set<ParameterStore>(plans.flatMap((one) => one.stores));
  const parts = {
    arena: sum(arenas, (users) => largestArena([users].flat())),
    given: sum(plans, ({ given }) => sum(given, givenBytes)),
    upload: sum(plans, ({ staged }) => RUNS_IN_FLIGHT * sum(staged, ({ bytes }) => bytes)),
    readback: sum(plans, ({ resultBytes }) => RUNS_IN_FLIGHT * slotBytes([{ size: resultBytes }])),
    uniforms: sum(
      plans,
      ({ calls }) =>
        uniformLayout(
          calls.flatMap(({ call }) => call.dispatches),
          uniformAlignment,
        ).size,
    ),
    stores: sum([...stores], storeBytes),
  };
  return { ...parts, total: sum(Object.values(parts), (bytes) => bytes) };
}

/** Bytes of an arena that several programs use sequentially. */
export const largestArena = (plans: readonly Plan[]): number =>
  Math.max(0, ...plans.map(({ arenaBytes }) => arenaBytes));

export interface BudgetOptions {
  /** Bytes of device memory that the program may hold, its stores included. */
  readonly memoryBudget?: number;
  readonly uniformAlignment: number;
  /** Other programs whose memory counts too. */
  readonly beside?: readonly Plan[];
  /** Plans of programs that run sequentially with this one, in its arena. */
  readonly sharedArenaPlans?: readonly Plan[];
}

/**
 * The plan as it is where it fits into the budget, and otherwise the cheapest recomputation that does.
 * @throws MemoryBudgetError that names the least budget
 */
export async function planWithin(
  options: PlanOptions,
  { memoryBudget = Infinity, uniformAlignment, beside = [], sharedArenaPlans = [] }: BudgetOptions,
): Promise<Plan> {
  const whole = plan(options);
  const { total, uniforms } = deviceMemory([[whole, ...sharedArenaPlans], ...beside], uniformAlignment);
  if (total <= memoryBudget) return whole;
  // Whatever is recomputed, it needs no more uniform blocks than there are.
  const fixed = total - largestArena([whole, ...sharedArenaPlans]) + uniforms;
  const { recompute } = await import('./recompute.ts');
  const within = plan({ ...options, arenaBudget: Math.max(0, memoryBudget - fixed) }, recompute);
  const least = fixed + largestArena([within, ...sharedArenaPlans]);
  if (least > memoryBudget) throw new MemoryBudgetError(memoryBudget, Math.min(total, least));
  return within;
}

/** "640 MB": decimal units, as device memory is sold and as budgets are given. */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(3)} GB`;
}

/** What was chosen to keep to a budget. */
export interface MemoryReport {
  readonly memory: DeviceMemory;
  readonly budget: number | undefined;
  readonly recomputed: Plan['recomputed'];
  /** Equal parts in which a batch comes. */
  readonly microBatches: number;
  /** Whether batch normalization normalizes each part by itself, which makes another computation of it. */
  readonly normalizedApart: boolean;
  /**
   * Where the parts are encoded twice for a loss over the whole batch (gradient caching): the share of the step that
   * this adds.
   */
  readonly encodedTwice?: number;
}

/** The report in one line, with what the choices cost. */
export function describeMemory({
  memory: { total, arena, stores },
  budget,
  recomputed,
  microBatches,
  normalizedApart,
  encodedTwice,
}: MemoryReport): string {
  const of = budget === undefined ? '' : ` of ${formatBytes(budget)}`;
  const choices = [
    ...(recomputed === undefined
      ? []
      : [
          `${recomputed.tensors} tensors recomputed (+${formatWork(microBatches * recomputed.cost.flop)}, +${(100 * recomputed.share).toFixed(1)} % of the step by the cost model)`,
        ]),
    ...(microBatches > 1
      ? [`${microBatches} micro-batches${normalizedApart ? ', each normalized by its own statistics' : ''}`]
      : []),
    ...(encodedTwice === undefined
      ? []
      : [
          `each encoded twice for the loss over the whole batch (+${(100 * encodedTwice).toFixed(1)} % of the step by the cost model)`,
        ]),
  ];
  return `device memory ${formatBytes(total)}${of}: intermediates ${formatBytes(arena)}, weights and state ${formatBytes(stores)}${choices.length === 0 ? '' : `; ${choices.join(', ')}`}`;
}

const formatWork = (flop: number): string =>
  flop < 1e9 ? `${(flop / 1e6).toFixed(1)} MFLOP` : `${(flop / 1e9).toFixed(1)} GFLOP`;
