import { callAgain } from '../../kernels/kernel.ts';
import { storageBytes } from '../../kernels/contract/element-types.ts';
import type { ScheduledCall } from './plan-types.ts';
import type { GraphNode, ParameterStore, Tensor } from './tensor.ts';

/** The store in which a tensor has its place, if it has. */
export type StoreOf = (tensor: Tensor) => ParameterStore | undefined;

/** A call or a part of one: the tensors that it touches by number, and which of them it writes. */
export interface Step {
  readonly call: ScheduledCall;
  readonly names: readonly string[];
  readonly touches: readonly number[];
  readonly writes: ReadonlySet<number>;
  readonly scratchBytes: number;
}

/** How to compute a tensor again, and which tensors come out of that besides. */
export interface Recipe {
  readonly steps: readonly Step[];
  readonly writes: ReadonlySet<number>;
}

/** The tensors of a schedule by their numbers, and its calls in them. */
export interface NumberedSchedule {
  readonly steps: readonly Step[];
  readonly tensors: readonly Tensor[];
  /** Sizes of those in the arena, as it rounds them; 0 for all others. */
  readonly bytes: readonly number[];
  readonly numberOf: (tensor: Tensor) => number;
  readonly storeOf: StoreOf;
}

/**
 * How to compute again what can be: a tensor whose calls change nothing in a store, and read nothing that changes
 * before the last use of any candidate.
 * @param uses of each tensor, the calls that touch it
 * @param backwardStart the first call of the backward pass; candidates are computed before it
 */
export function recipesFor(
  candidates: readonly number[],
  schedule: NumberedSchedule,
  uses: readonly (readonly number[])[],
  backwardStart: number,
): Map<number, Recipe> {
  const { steps, tensors, bytes, storeOf } = schedule;
  const makers = new Map<GraphNode, Step[]>();
  for (const step of steps.slice(0, backwardStart)) {
    const { node } = step.call.planned;
    makers.set(node, [...(makers.get(node) ?? []), step]);
  }
  const changes = firstChanges(schedule);
  const latest = Math.max(-1, ...candidates.map((number) => uses[number][uses[number].length - 1]));
  const lasts = (number: number): boolean => (changes.get(storeOf(tensors[number]) ?? number) ?? Infinity) > latest;
  const recipes = new Map<number, Recipe>();
  for (const number of candidates) {
    const recipe = recipeOf(number, makers.get(steps[uses[number][0]].call.planned.node) ?? [], schedule);
    const repeatable =
      recipe.steps.every(({ touches }) => touches.every(lasts)) &&
      [...recipe.writes].every((written) => bytes[written] > 0);
    if (repeatable && recipe.writes.has(number)) recipes.set(number, recipe);
  }
  return recipes;
}

/** The first call that changes a store, or a tensor in place. */
function firstChanges({ steps, tensors, storeOf }: NumberedSchedule): Map<ParameterStore | number, number> {
  const changes = new Map<ParameterStore | number, number>();
  steps.forEach(({ call, touches, names }, index) => {
    names.forEach((name, operand) => {
      const { role } = call.planned.call.operands[name];
      const tensor = tensors[touches[operand]];
      const changed = storeOf(tensor) ?? touches[operand];
      // What the graph computes into a store is written before it is read, and then stays.
      const writes = role === 'inout' || (role === 'output' && tensor.origin.kind === 'stored');
      if (writes && !changes.has(changed)) changes.set(changed, index);
    });
  });
  return changes;
}

export function stepOf(call: ScheduledCall, numberOf: (tensor: Tensor) => number): Step {
  const entries = Object.entries(call.planned.call.operands);
  const given = entries.filter(([name]) => call.operands[name] !== undefined);
  const touches = given.map(([name]) => numberOf(call.operands[name]));
  return {
    call,
    names: given.map(([name]) => name),
    touches,
    writes: new Set(touches.filter((_, index) => given[index][1].role === 'output')),
    scratchBytes: entries.reduce(
      (bytes, [name, { type, length }]) =>
        bytes + (call.operands[name] === undefined ? arenaBytes(storageBytes(type, length)) : 0),
      0,
    ),
  };
}

/** The calls that compute a tensor, or the parts of them that do where the kernel knows such. */
function recipeOf(number: number, makers: readonly Step[], { numberOf }: NumberedSchedule): Recipe {
  const writers = makers.filter(({ writes }) => writes.has(number));
  const partial = writers.map(({ call, names, touches }) => partOf(call, names[touches.indexOf(number)]));
  const chosen = partial.every((call) => call !== undefined) ? partial : makers.map(({ call }) => call);
  const steps = chosen.map(({ planned, operands }) =>
    stepOf({ planned: { ...planned, label: `${planned.label} again` }, operands }, numberOf),
  );
  return { steps, writes: new Set(steps.flatMap(({ writes }) => [...writes])) };
}

function partOf({ planned, operands }: ScheduledCall, output: string): ScheduledCall | undefined {
  const call = callAgain(planned.call, output);
  if (call === undefined) return undefined;
  const cost = planned.call.again?.[output].cost ?? planned.cost;
  return {
    planned: { ...planned, call, cost },
    operands: Object.fromEntries(
      Object.keys(call.operands).flatMap((name) => (operands[name] === undefined ? [] : [[name, operands[name]]])),
    ),
  };
}

/** What so many bytes take in the arena, whose places are multiples of 256 bytes. */
export const arenaBytes = (bytes: number): number => 256 * Math.ceil(bytes / 256);
