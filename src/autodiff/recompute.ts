import { callAgain, type Cost } from '../../kernels/kernel.ts';
import { layOutArena } from './arena.ts';
import { livenessOf, root, type ScheduledCall } from './liveness.ts';
import type { Store } from './store.ts';
import { Tensor, type Node } from './tensor.ts';

/**
 * Recomputation (Chen et al. 2016, "Training deep nets with sublinear memory cost"): tensors that the forward pass leaves for
 * the backward pass are given up after their last forward use, and computed once more when the backward pass asks for them.
 * The same dispatches compute them from the same values, so that no bit of a result depends on the budget.
 *
 * What is kept is decided from below: first everything is given up but checkpoints, tensors through which alone the rest of
 * the forward pass sees what lies before them, such as the outputs of residual blocks. Then every other tensor is kept
 * whose keeping still fits, the dearest to recompute for its size first. Tried with checkpoints at several distances; the
 * cheapest outcome wins.
 */

/** What is computed twice. */
export interface Recomputed {
  readonly tensors: number;
  readonly cost: Cost;
  /** Work of recomputing over the work of the rest, by `work`. */
  readonly share: number;
}

export interface Recomputation {
  readonly calls: readonly ScheduledCall[];
  readonly recomputed: Recomputed | undefined;
}

/** The store in which a tensor has its place, if it has. */
type StoreOf = (tensor: Tensor) => Store | undefined;

export interface RecomputationOptions {
  readonly outputs: readonly Tensor[];
  readonly storeOf: StoreOf;
  readonly arenaBudget: number;
  readonly maxBufferBytes: number;
}

/**
 * The cost model: operations that pass in the time of one byte. Real machines have 6 (lavapipe) to 45 (RTX 5070); the
 * choice depends on it little, since what is cheap to recompute is so by an order of magnitude.
 */
const OPERATIONS_PER_BYTE = 12;
const work = ({ flop, bytes }: Cost): number => Math.max(flop, OPERATIONS_PER_BYTE * bytes);

/** Tensors below this share of the peak are not worth a dispatch. */
const WORTHWHILE = 1 / 4096;
/** Checkpoints at every so many of the places where there can be one. */
const DISTANCES = [1, 2, 3, 4, 6, 8, 12, 16, Infinity];
/** How often the search is told to leave more room, where the arena came out larger than what is alive in it. */
const ATTEMPTS = 6;

/** Gives up and recomputes what it takes for the arena to fit; the smallest arena it finds, where none fits. */
export function recompute(calls: readonly ScheduledCall[], { outputs, storeOf, arenaBudget, maxBufferBytes }: RecomputationOptions): Recomputation {
  const model = new Model(calls, outputs, storeOf);
  const starts = DISTANCES.map((distance) => model.descend(model.allBut(model.checkpoints.filter((_, index) => index % distance === distance - 1))));
  const arenaOf = (schedule: readonly ScheduledCall[]): number => layOutArena(livenessOf(schedule, outputs, (tensor) => storeOf(tensor) !== undefined).lifetimes, maxBufferBytes).bytes;

  let target = arenaBudget;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fitting = starts.filter((dropped) => model.peak(dropped) <= target).map((dropped) => model.keepWhatFits(dropped, target));
    if (fitting.length === 0) break;
    const found = model.schedule(least(fitting, (dropped) => model.work(dropped)));
    const arena = arenaOf(found.calls);
    if (arena <= arenaBudget) return found;
    target -= arena - arenaBudget;
  }
  const smallest = starts.map((dropped) => model.schedule(model.keepWhatFits(dropped, model.peak(dropped))));
  return least([...smallest, { calls, recomputed: undefined }], (found) => arenaOf(found.calls));
}

/** A call or a part of one: the tensors that it touches by number, and which of them it writes. */
interface Step {
  readonly call: ScheduledCall;
  readonly names: readonly string[];
  readonly touches: readonly number[];
  readonly writes: ReadonlySet<number>;
  readonly scratchBytes: number;
}

/** How to compute a tensor again, and which tensors come out of that besides. */
interface Recipe {
  readonly steps: readonly Step[];
  readonly writes: ReadonlySet<number>;
}

/** A step of the schedule that comes out: the tensors may be second copies, whose numbers are `count` higher. */
interface Emitted {
  readonly step: Step;
  readonly touches: readonly number[];
  readonly again: boolean;
}

/** Numbers of the tensors that are given up. */
type Dropped = ReadonlySet<number>;

/** The schedule in numbers, so that many choices can be tried. */
class Model {
  /** Of the candidates, those through which alone the later forward pass sees the earlier one; in order. */
  readonly checkpoints: readonly number[];
  private readonly tensors: readonly Tensor[];
  private readonly bytes: readonly number[];
  private readonly steps: readonly Step[];
  private readonly outputs: readonly number[];
  /** The call at which the backward pass begins: where the most bytes wait to be used again. */
  private readonly turn: number;
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
    this.bytes = this.tensors.map((tensor) => (tensor.origin.kind === 'node' && storeOf(tensor) === undefined ? 4 * Math.ceil(tensor.length / 64) * 64 : 0));

    const uses = this.tensors.map((): number[] => []);
    this.steps.forEach(({ touches }, index) => touches.forEach((number) => uses[number].push(index)));
    this.turn = turnOf(uses, this.bytes, calls.length);
    const large = WORTHWHILE * this.peak(new Set());
    const lastBefore = uses.map((of) => Math.max(-1, ...of.filter((index) => index < this.turn)));
    const forward = this.tensors.flatMap((_, number) => (this.bytes[number] >= large && uses[number][0] < this.turn ? [number] : []));
    this.recipes = this.recipesFor(forward, uses, storeOf, numberOf);

    const checkpoints = new Set<number>();
    for (let index = 0; index + 1 < this.turn; index++) {
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
    for (let before = Infinity; lowest < before; ) {
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

  /** Of all that is recomputed, by the cost model. */
  work(dropped: Dropped): number {
    return sum(this.emit(dropped).filter(({ again }) => again).map(({ step }) => work(step.call.planned.cost)));
  }

  schedule(dropped: Dropped): Recomputation {
    const emitted = this.emit(dropped);
    const count = this.tensors.length;
    const copies = new Map<number, Tensor>();
    const tensorOf = (number: number): Tensor | undefined => {
      if (number < count) return undefined;
      const { shape, type, origin, name } = this.tensors[number - count];
      if (!copies.has(number)) copies.set(number, new Tensor(shape, type, origin, name));
      return copies.get(number);
    };
    const calls = emitted.map(({ step: { call, names }, touches }) => ({
      planned: call.planned,
      operands: { ...call.operands, ...Object.fromEntries(names.flatMap((name, index) => { const copy = tensorOf(touches[index]); return copy === undefined ? [] : [[name, copy]]; })) },
    }));
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

  /** The steps in order; in the backward pass, what was given up is computed again as soon as it is asked for. */
  private emit(dropped: Dropped): readonly Emitted[] {
    const count = this.tensors.length;
    const emitted: Emitted[] = [];
    const copied = new Set<number>();
    const copy = (number: number): number => {
      if (copied.has(number)) return number + count;
      const { steps, writes } = this.recipes.get(number) as Recipe;
      for (const step of steps) {
        const touches = step.touches.map((touched) => (writes.has(touched) ? touched + count : dropped.has(touched) ? copy(touched) : touched));
        emitted.push({ step, touches, again: true });
      }
      for (const written of writes) copied.add(written);
      return number + count;
    };
    this.steps.forEach((step, index) => {
      const { touches } = step;
      const late = index >= this.turn && touches.some((touched) => dropped.has(touched));
      emitted.push({ step, touches: late ? touches.map((touched) => (dropped.has(touched) ? copy(touched) : touched)) : touches, again: false });
    });
    return emitted;
  }

  /**
   * A tensor can be given up where its node's calls can be repeated as late as anything is: they change nothing in a store,
   * and read nothing that changes before.
   */
  private recipesFor(forward: readonly number[], uses: readonly (readonly number[])[], storeOf: StoreOf, numberOf: (tensor: Tensor) => number): Map<number, Recipe> {
    const makers = new Map<Node, number[]>();
    const changes = new Map<Store | number, number>();
    this.steps.forEach(({ call: { planned }, touches, names }, index) => {
      makers.set(planned.node, [...(makers.get(planned.node) ?? []), index]);
      names.forEach((name, operand) => {
        const { role } = planned.call.operands[name];
        const tensor = this.tensors[touches[operand]];
        const changed = storeOf(tensor) ?? touches[operand];
        if ((role === 'inout' || (role === 'output' && tensor.origin.kind === 'stored')) && !changes.has(changed)) changes.set(changed, index);
      });
    });
    const latest = Math.max(-1, ...forward.map((number) => uses[number][uses[number].length - 1]));
    const lasts = (number: number): boolean => (changes.get(storeOf(this.tensors[number]) ?? number) ?? Infinity) > latest;
    const recipes = new Map<number, Recipe>();
    for (const number of forward) {
      const { origin } = this.tensors[number];
      if (origin.kind !== 'node' || this.outputs.includes(number)) continue;
      const by = makers.get(this.steps[uses[number][0]].call.planned.node) ?? [];
      const recipe = recipeOf(number, by.map((index) => this.steps[index]), numberOf);
      const repeatable = recipe.steps.every(({ touches }) => touches.every(lasts)) && [...recipe.writes].every((written) => this.bytes[written] > 0);
      if (repeatable && by.every((index) => index < this.turn)) recipes.set(number, recipe);
    }
    return recipes;
  }
}

function stepOf(call: ScheduledCall, numberOf: (tensor: Tensor) => number): Step {
  const entries = Object.entries(call.planned.call.operands);
  const given = entries.filter(([name]) => call.operands[name] !== undefined);
  const touches = given.map(([name]) => numberOf(call.operands[name]));
  return {
    call,
    names: given.map(([name]) => name),
    touches,
    writes: new Set(touches.filter((_, index) => given[index][1].role === 'output')),
    scratchBytes: sum(entries.filter(([name]) => call.operands[name] === undefined).map(([, { length }]) => 4 * Math.ceil(length / 64) * 64)),
  };
}

/** The calls that compute a tensor, or the parts of them that do where the kernel knows such. */
function recipeOf(number: number, makers: readonly Step[], numberOf: (tensor: Tensor) => number): Recipe {
  const writers = makers.filter(({ writes }) => writes.has(number));
  const partial = writers.map(({ call, names, touches }) => partOf(call, names[touches.indexOf(number)]));
  const chosen = partial.every((call) => call !== undefined) ? partial : makers.map(({ call }) => call);
  const steps = chosen.map(({ planned, operands }) => stepOf({ planned: { ...planned, label: `${planned.label} again` }, operands }, numberOf));
  return { steps, writes: new Set(steps.flatMap(({ writes }) => [...writes])) };
}

function partOf({ planned, operands }: ScheduledCall, output: string): ScheduledCall | undefined {
  const call = callAgain(planned.call, output);
  if (call === undefined) return undefined;
  const cost = planned.call.again?.[output].cost ?? planned.cost;
  return { planned: { ...planned, call, cost }, operands: Object.fromEntries(Object.keys(call.operands).flatMap((name) => (operands[name] === undefined ? [] : [[name, operands[name]]]))) };
}

/** The call over which the most bytes lie unused, to be used again after it. */
function turnOf(uses: readonly (readonly number[])[], bytes: readonly number[], length: number): number {
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
  let turn = length;
  waiting.forEach((change, index) => {
    now += change;
    if (now > most) [most, turn] = [now, index];
  });
  return turn;
}

function toggle(members: Set<number>, member: number): void {
  if (!members.delete(member)) members.add(member);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function least<T>(values: readonly T[], measure: (value: T) => number): T {
  const measures = values.map(measure);
  return values[measures.indexOf(Math.min(...measures))];
}
