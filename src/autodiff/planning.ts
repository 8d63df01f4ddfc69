import type { AnyKernel, Cost, KernelCall } from '../../kernels/kernel.ts';
import { storageBytes, type AdapterTraits } from '../../kernels/contract/dispatch.ts';
import { FeatureError } from '../gpu/errors.ts';
import { layOutArena } from './arena.ts';
import { chosenCall, questionKey, type Chooser, type Choices, type Question } from './choices.ts';
import { frozenFirst } from './frozen.ts';
import { indexChecks, type IndexCheck } from './indices.ts';
import { nodesBefore } from './gradient.ts';
import { livenessOf, root, scratchKey, type ScheduledCall } from './liveness.ts';
import { offeredCalls } from './offered.ts';
import type { KernelUse, Pin } from './op.ts';
import { identity } from './ops/identity.ts';
import type { recompute } from './recompute.ts';
import { withinLimits } from './slicing.ts';
import { stagedInputs } from './staging.ts';
import type { Recomputed } from './schedule-model.ts';
import type { Store } from './store.ts';
import { describe, ShapeError, type Node, type Tensor } from './tensor.ts';

/** Where an operand's values are; offsets and sizes in bytes. */
export type Place =
  | { readonly kind: 'given'; readonly tensor: Tensor; readonly bytes: number }
  | { readonly kind: 'stored'; readonly store: Store; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'arena'; readonly offset: number; readonly bytes: number };

/** A kernel call with a place for each operand. */
export interface PlannedCall {
  readonly kernel: AnyKernel;
  readonly problem: unknown;
  readonly label: string;
  readonly call: KernelCall;
  /** The variants that it was chosen from. */
  readonly offered: readonly KernelCall[];
  readonly cost: Cost;
  readonly places: Readonly<Record<string, Place>>;
  readonly node: Node;
}

/** All that a program does, decided before anything runs. */
export interface Plan {
  readonly calls: readonly PlannedCall[];
  /** Whether stored tensors were taken for unchanged between runs. */
  readonly frozen: boolean;
  /**
   * How many of the calls, the first ones, depend on stores and constants alone: their results hold for all runs. None
   * unless frozen.
   */
  readonly frozenCalls: number;
  /** Tensors with buffers of their own: inputs, written before each run, and constants, written once. */
  readonly given: readonly Tensor[];
  /** Of the inputs, those that reach the device through staging buffers. */
  readonly staged: readonly Tensor[];
  readonly stores: readonly Store[];
  /** Of each tensor that the program gives back. */
  readonly outputs: ReadonlyMap<Tensor, Place>;
  /** Indices that the graph computes. They are outputs beside those asked for, so that the host sees them. */
  readonly computedIndices: readonly IndexCheck[];
  /** Bytes that a run gives back. */
  readonly resultBytes: number;
  /** Bytes of the arena: the peak of all intermediates and scratch. */
  readonly arenaBytes: number;
  /** The lower bound of any arena for this order of calls. */
  readonly liveBytes: number;
  /** What is computed twice so that the arena is smaller; undefined where nothing had to be. */
  readonly recomputed: Recomputed | undefined;
}

export interface PlanOptions {
  readonly outputs: readonly Tensor[];
  readonly updates: readonly Node[];
  readonly traits: AdapterTraits;
  readonly maxBufferBytes: number;
  /** The largest storage binding; dispatches over more are cut into slices. Left out, there is no limit. */
  readonly maxBindingBytes?: number;
  /** Bytes from which an input is staged. Left out, what suits the adapter. */
  readonly stagedFrom?: number;
  /**
   * Bytes that the arena should fit into, by recomputation; where even the least that it finds is larger, the plan has
   * that.
   */
  readonly arenaBudget?: number;
  /** Variants to take; where it says nothing, the kernel's own preference. */
  readonly choices?: Choices;
  /** What is stored does not change between runs, so that what depends on it alone is computed apart from them. */
  readonly frozen?: boolean;
}

/**
 * Decides the order of kernel calls, the variant of each, and the place of every tensor.
 * @param recomputed how to keep to an `arenaBudget`. It is handed in, so that a page without a budget does not load it.
 */
export function planGraph(
  {
    outputs: results,
    updates,
    traits,
    maxBufferBytes,
    maxBindingBytes = Infinity,
    stagedFrom,
    choices,
    arenaBudget,
    frozen = false,
  }: PlanOptions,
  recomputed?: typeof recompute,
): Plan {
  const limits = { maxBindingBytes, maxWorkgroupsPerDimension: traits.maxWorkgroupsPerDimension };
  const computed = nodesBefore([...results, ...updates.flatMap((node) => node.inputs)]);
  // Updates change what other nodes read, so they come last.
  const nodes = [...computed, ...updates];
  const pinned = grantPins(nodes);
  const computedIndices = indexChecks(nodes).filter(({ indices }) => indices.origin.kind === 'node');
  const outputs = [...results, ...computedIndices.map(({ indices }) => indices)];

  const inOrder: ScheduledCall[] = [];
  for (const node of nodes) {
    for (const use of node.op.lower(node, pinned).flatMap(separateOperands)) {
      const problem = use.problem as never;
      const offered = offeredCalls(use.kernel, problem, traits, frozen);
      const chosen = chosenCall(offered, choices?.get(questionKey({ ...use, prepared: frozen })));
      const call = chosen && withinLimits([chosen, ...offered], limits, (operand) => describeOperand(use, operand));
      if (call === undefined) throw noVariant(use, traits);
      const label =
        node.outputs.length > 0 && node.outputs[0].name !== node.op.name
          ? `${use.kernel.name} ${node.outputs[0].name}`
          : use.kernel.name;
      checkOperands(use.kernel.name, call, use.operands);
      inOrder.push({
        planned: { kernel: use.kernel, problem, label, call, offered, cost: use.kernel.cost(problem), node },
        operands: use.operands,
      });
    }
  }
  const { scheduled, frozenCalls, kept } = frozen
    ? frozenFirst(inOrder)
    : { scheduled: inOrder, frozenCalls: 0, kept: [] };

  const alive = [...outputs, ...kept];
  const recomputation =
    arenaBudget === undefined
      ? undefined
      : recomputed?.(scheduled, {
          outputs: alive,
          storeOf: (tensor) => storedAt(tensor, pinned)?.store,
          arenaBudget,
          maxBufferBytes,
        });
  const calls = recomputation?.calls ?? scheduled;
  const { lifetimes, ofTensor, ofScratch } = livenessOf(calls, alive, (tensor) => pinned.has(tensor));
  const layout = layOutArena(lifetimes, maxBufferBytes);

  const given = new Set<Tensor>();
  const stores = new Set<Store>();
  const placeOf = (tensor: Tensor): Place => {
    const base = root(tensor);
    const pin = storedAt(base, pinned);
    if (pin !== undefined) {
      stores.add(pin.store);
      return { kind: 'stored', store: pin.store, offset: storageBytes('f32', pin.offset), bytes: tensor.bytes };
    }
    if (base.origin.kind === 'input' || base.origin.kind === 'constant') {
      given.add(base);
      return { kind: 'given', tensor: base, bytes: tensor.bytes };
    }
    const index = ofTensor.get(base);
    if (index === undefined) throw new ShapeError(`nothing computes ${describe(base)}`);
    return { kind: 'arena', offset: layout.offsets[index], bytes: tensor.bytes };
  };
  const placed = calls.map(({ planned, operands }, index): PlannedCall => {
    const places = Object.entries(planned.call.operands).map(([name, operand]): [string, Place] => {
      const scratch = ofScratch.get(scratchKey(index, name));
      if (scratch === undefined) return [name, placeOf(operands[name])];
      return [
        name,
        { kind: 'arena', offset: layout.offsets[scratch], bytes: storageBytes(operand.type, operand.length) },
      ];
    });
    return { ...planned, places: Object.fromEntries(places) };
  });
  return {
    calls: placed,
    frozen,
    frozenCalls,
    outputs: new Map(outputs.map((tensor) => [tensor, placeOf(tensor)])),
    computedIndices,
    resultBytes: outputs.reduce((sum, tensor) => sum + tensor.bytes, 0),
    given: [...given],
    staged: stagedInputs([...given], { traits, maxBufferBytes, stagedFrom }),
    stores: [...stores],
    arenaBytes: layout.bytes,
    liveBytes: layout.liveBytes,
    recomputed: recomputation?.recomputed,
  };
}

/**
 * A chooser's answers for a plan. What a plan asks may depend on the answers before, so it is planned until nothing is
 * open.
 */
export async function choicesFor(chooser: Chooser, options: Omit<PlanOptions, 'choices'>): Promise<Choices> {
  const choices = new Map<string, string>();
  const asked = new Set<string>();
  for (;;) {
    const open = questionsOf(planGraph({ ...options, choices })).filter(
      (question) => !asked.has(questionKey(question)),
    );
    if (open.length === 0) return choices;
    const answers = await chooser.answer(open);
    for (const key of open.map(questionKey)) {
      asked.add(key);
      const variant = answers.get(key);
      if (variant !== undefined) choices.set(key, variant);
    }
  }
}

/** The distinct questions that a plan had to decide. */
export function questionsOf({ calls, frozen, frozenCalls }: Plan): readonly Question[] {
  const questions = new Map<string, Question>();
  for (const [index, { kernel, problem, offered }] of calls.entries()) {
    const key = questionKey({ kernel, problem, prepared: frozen });
    const uses = (questions.get(key)?.uses ?? 0) + (index < frozenCalls ? 0 : 1);
    questions.set(key, { kernel, problem, calls: offered, uses, prepared: frozen });
  }
  return [...questions.values()];
}

/**
 * WebGPU forbids to bind memory twice where one binding can write, and all of ours can (see Dispatch). Where a kernel
 * takes one tensor for two operands, as in x * x, all but the first get a copy.
 */
function separateOperands(use: KernelUse): readonly KernelUse[] {
  const seen = new Set<Tensor>();
  const copies: KernelUse[] = [];
  const operands = Object.entries(use.operands).map(([name, tensor]): [string, Tensor] => {
    const base = root(tensor);
    if (!seen.has(base)) {
      seen.add(base);
      return [name, tensor];
    }
    const copy = identity(tensor);
    if (copy.origin.kind === 'node') copies.push(...copy.origin.node.op.lower(copy.origin.node, new Map()));
    return [name, copy];
  });
  return copies.length === 0 ? [use] : [...copies, { ...use, operands: Object.fromEntries(operands) }];
}

function storedAt(
  tensor: Tensor,
  pinned: ReadonlyMap<Tensor, Pin>,
): { readonly store: Store; readonly offset: number } | undefined {
  return pinned.get(tensor) ?? (tensor.origin.kind === 'stored' ? tensor.origin : undefined);
}

function grantPins(nodes: readonly Node[]): Map<Tensor, Pin> {
  const pinned = new Map<Tensor, Pin>();
  for (const node of nodes) {
    for (const pin of node.op.pins?.(node) ?? []) {
      const { origin } = pin.tensor;
      if (origin.kind === 'node' && origin.node.op.view !== true && !pinned.has(pin.tensor))
        pinned.set(pin.tensor, pin);
    }
  }
  return pinned;
}

function noVariant({ kernel, operands }: KernelUse, traits: AdapterTraits): Error {
  const half = Object.values(operands).find(({ type }) => type === 'f16');
  if (half === undefined || traits.f16 === true)
    return new ShapeError(`${kernel.name} has no variant for this adapter`);
  return new FeatureError(
    `${kernel.name}: ${describe(half)} is stored as 16-bit floats, which this adapter does not have (shader-f16). Use f32, or another adapter.`,
  );
}

function describeOperand({ kernel, operands }: KernelUse, operand: string): string {
  const tensor = operands[operand];
  return `${operand} of ${kernel.name}${tensor === undefined ? '' : `, tensor ${describe(tensor)},`}`;
}

function checkOperands(kernel: string, call: KernelCall, operands: Readonly<Record<string, Tensor>>): void {
  for (const [name, operand] of Object.entries(call.operands)) {
    const tensor = operands[name];
    if (tensor === undefined) {
      if (operand.role !== 'scratch' && operand.role !== 'output')
        throw new ShapeError(`${kernel}: no tensor was given for operand ${name}`);
    } else if (tensor.length !== operand.length || tensor.type !== operand.type) {
      throw new ShapeError(
        `${kernel}: operand ${name} has ${operand.length} elements of ${operand.type}, but was given ${describe(tensor)}`,
      );
    }
  }
  for (const name of Object.keys(operands)) {
    if (call.operands[name] === undefined) throw new ShapeError(`${kernel} has no operand called ${name}`);
  }
}
