import type { Cost } from '../../kernels/kernel.ts';
import { root } from './liveness.ts';
import { arenaBytes, recipesFor, stepOf, type Recipe, type Step, type StoreOf } from './recipes.ts';
import { Tensor } from './tensor.ts';
import type { Recomputed, ScheduledCall } from './plan-types.ts';

export interface Recomputation {
  readonly calls: readonly ScheduledCall[];
  readonly recomputed: Recomputed | undefined;
}

/**
 * The cost model: operations that pass in the time of one byte. Real machines have 6 (lavapipe) to 45 (RTX 5070). It
 * decides between element-wise passes and thin 1x1 convolutions only; wide convolutions are dearer by an order of
 * magnitude anyway.
 */
const OPERATIONS_PER_BYTE = 12;
export const work = ({ flop, bytes }: Cost): number => Math.max(flop, OPERATIONS_PER_BYTE * bytes);

/** Tensors below this share of the peak are not worth a dispatch. */
const WORTHWHILE = 1 / 4096;

/** A step of the schedule that comes out: the tensors may be second copies, whose numbers are `count` higher. */
interface Emitted {
  readonly step: Step;
  readonly touches: readonly number[];
  readonly again: boolean;
}

/** Numbers of the tensors that are given up. */
export type Dropped = ReadonlySet<number>;

/**
 * What a schedule would be if some tensors were given up. Tensors are numbers here, so that many choices can be tried.
 */
export class ScheduleModel {
  /** The candidates through which alone the later forward pass sees the earlier one; in order. */
  readonly checkpoints: readonly number[];
  private readonly tensors: readonly Tensor[];
  private readonly bytes: readonly number[];
  private readonly steps: readonly Step[];
  private readonly outputs: readonly number[];
  /** The call at which the backward pass begins: where the most bytes wait to be used again. */
  private readonly backwardStart: number;
  /** How to compute each tensor again that can be given up. */
  private readonly recipes: ReadonlyMap<number, Recipe>;

  constructor(calls: readonly ScheduledCall[], outputs: readonly Tensor[], storeOf: StoreOf) {
    const numbers = new Map<Tensor, number>();
    const numberOf = (tensor: Tensor): number => {
      const base = root(tensor);
      if (!numbers.has(base)) numbers.set(base, numbers.size);
      return numbers.get(base) as number;
    };
    this.steps = calls.map((call) => stepOf(call, numberOf));
    this.outputs = outputs.map(numberOf);
    this.tensors = [...numbers.keys()];
    this.bytes = this.tensors.map((tensor) =>
      tensor.origin.kind === 'node' && storeOf(tensor) === undefined ? arenaBytes(tensor.bytes) : 0,
    );

    const uses = this.tensors.map((): number[] => []);
    this.steps.forEach(({ touches }, index) => touches.forEach((number) => uses[number].push(index)));
    this.backwardStart = backwardStartOf(uses, this.bytes, calls.length);
    const large = WORTHWHILE * this.peak(new Set());
    const lastBefore = uses.map((of) => Math.max(-1, ...of.filter((index) => index < this.backwardStart)));
    const forward = this.tensors.flatMap((_, number) =>
      this.bytes[number] >= large && uses[number][0] < this.backwardStart ? [number] : [],
    );
    const candidates = forward.filter((number) => !this.outputs.includes(number));
    this.recipes = recipesFor(
      candidates,
      { steps: this.steps, tensors: this.tensors, bytes: this.bytes, numberOf, storeOf },
      uses,
      this.backwardStart,
    );

    const checkpoints = new Set<number>();
    for (let index = 0; index + 1 < this.backwardStart; index++) {
      const across = forward.filter((number) => uses[number][0] <= index && lastBefore[number] > index);
      if (across.length === 1 && this.recipes.has(across[0])) checkpoints.add(across[0]);
    }
    this.checkpoints = [...checkpoints];
  }

  allBut(kept: readonly number[]): Dropped {
    const dropped = new Set(this.recipes.keys());
    for (const number of kept) dropped.delete(number);
    return dropped;
  }

  /** The most bytes that are alive at once. */
  peak(dropped: Dropped): number {
    const emitted = this.emit(dropped);
    const count = this.tensors.length;
    const first = new Int32Array(2 * count).fill(-1);
    const last = new Int32Array(2 * count);
    emitted.forEach(({ touches }, index) => {
      for (const number of touches) {
        if (first[number] < 0) first[number] = index;
        last[number] = index;
      }
    });
    for (const number of this.outputs) last[number] = emitted.length;
    const change = new Float64Array(emitted.length + 2);
    for (let number = 0; number < 2 * count; number++) {
      if (first[number] < 0) continue;
      change[first[number]] += this.bytes[number % count];
      change[last[number] + 1] -= this.bytes[number % count];
    }
    let alive = 0;
    let most = 0;
    emitted.forEach(({ step }, index) => {
      alive += change[index];
      most = Math.max(most, alive + step.scratchBytes);
    });
    return most;
  }

  /** Gives up or keeps one tensor after the other as long as that lowers the peak. */
  descend(start: Dropped): Dropped {
    const dropped = new Set(start);
    let lowest = this.peak(dropped);
    for (let before = Infinity; lowest < before;) {
      before = lowest;
      for (const number of this.recipes.keys()) {
        toggle(dropped, number);
        const peak = this.peak(dropped);
        if (peak < lowest) lowest = peak;
        else toggle(dropped, number);
      }
    }
    return dropped;
  }

  /** Keeps one tensor after the other as long as the peak stays within the target. */
  keepWhatFits(dropped: Dropped, target: number): Dropped {
    const price = (number: number): number => this.workOf(number) / this.bytes[number];
    const remaining = new Set(dropped);
    for (const number of [...dropped].sort((a, b) => price(b) - price(a))) {
      remaining.delete(number);
      if (this.peak(remaining) > target) remaining.add(number);
    }
    return remaining;
  }

  /** The work of all that is recomputed, by the cost model. */
  work(dropped: Dropped): number {
    return sum(
      this.emit(dropped)
        .filter(({ again }) => again)
        .map(({ step }) => work(step.call.planned.cost)),
    );
  }

  schedule(dropped: Dropped): Recomputation {
    const emitted = this.emit(dropped);
    const count = this.tensors.length;
    const copies = new Map<number, Tensor>();
    const calls = emitted.map(({ step: { call, names }, touches }) => {
      const operands = { ...call.operands };
      touches.forEach((number, index) => {
        if (number < count) return;
        const { shape, type, origin, name } = this.tensors[number - count];
        if (!copies.has(number)) copies.set(number, new Tensor(shape, type, origin, name));
        operands[names[index]] = copies.get(number) as Tensor;
      });
      return { planned: call.planned, operands };
    });
    const costs = emitted.filter(({ again }) => again).map(({ step }) => step.call.planned.cost);
    if (costs.length === 0) return { calls, recomputed: undefined };
    const all = sum(this.steps.map(({ call }) => work(call.planned.cost)));
    return {
      calls,
      recomputed: {
        tensors: [...dropped].filter((number) => copies.has(number + count)).length,
        cost: { flop: sum(costs.map(({ flop }) => flop)), bytes: sum(costs.map(({ bytes }) => bytes)) },
        share: sum(costs.map(work)) / all,
      },
    };
  }

  private workOf(number: number): number {
    return sum((this.recipes.get(number) as Recipe).steps.map(({ call }) => work(call.planned.cost)));
  }

  /** The steps in order; in the backward pass, what was given up is recomputed as soon as it is requested. */
  private emit(dropped: Dropped): readonly Emitted[] {
    const count = this.tensors.length;
    const emitted: Emitted[] = [];
    const copied = new Set<number>();
    const copy = (number: number): number => {
      if (copied.has(number)) return number + count;
      const { steps, writes } = this.recipes.get(number) as Recipe;
      for (const step of steps) {
        const touches = step.touches.map((touched) =>
          writes.has(touched) ? touched + count : dropped.has(touched) ? copy(touched) : touched,
        );
        emitted.push({ step, touches, again: true });
      }
      for (const written of writes) copied.add(written);
      return number + count;
    };
    this.steps.forEach((step, index) => {
      const { touches } = step;
      const late = index >= this.backwardStart && touches.some((touched) => dropped.has(touched));
      emitted.push({
        step,
        touches: late ? touches.map((touched) => (dropped.has(touched) ? copy(touched) : touched)) : touches,
        again: false,
      });
    });
    return emitted;
  }
}

/** The call over which the most bytes lie unused, to be used again after it. */
function backwardStartOf(uses: readonly (readonly number[])[], bytes: readonly number[], length: number): number {
  const waiting = new Float64Array(length + 1);
  uses.forEach((of, number) => {
    let gap = { from: 0, to: 0 };
    of.forEach((to, index) => {
      const from = index === 0 ? to : of[index - 1];
      if (to - from > gap.to - gap.from) gap = { from, to };
    });
    if (gap.to - gap.from < 2) return;
    waiting[gap.from + 1] += bytes[number];
    waiting[gap.to] -= bytes[number];
  });
  let now = 0;
  let most = 0;
  let start = length;
  waiting.forEach((change, index) => {
    now += change;
    if (now > most) [most, start] = [now, index];
  });
  return start;
}

function toggle(members: Set<number>, member: number): void {
  if (!members.delete(member)) members.add(member);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
