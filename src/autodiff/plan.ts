import type { Cost, KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits } from '../gpu/dispatch.ts';
import { layOutArena, type Lifetime } from './arena.ts';
import { nodesBefore } from './gradient.ts';
import type { AnyKernel, KernelUse, Pin } from './op.ts';
import { identity } from './ops/identity.ts';
import { withinLimits } from './slicing.ts';
import type { Store } from './store.ts';
import { describe, ShapeError, type Node, type Tensor } from './tensor.ts';

/** Where an operand's values are; offsets and lengths in elements. */
export type Place =
  | { readonly kind: 'given'; readonly tensor: Tensor; readonly length: number }
  | { readonly kind: 'stored'; readonly store: Store; readonly offset: number; readonly length: number }
  | { readonly kind: 'arena'; readonly offset: number; readonly length: number };

/** A kernel call with a place for each operand. */
export interface PlannedCall {
  readonly kernel: AnyKernel;
  readonly label: string;
  readonly call: KernelCall;
  readonly cost: Cost;
  readonly places: Readonly<Record<string, Place>>;
  readonly node: Node;
}

/** All that a program does, decided before anything runs. */
export interface Plan {
  readonly calls: readonly PlannedCall[];
  /** Tensors with buffers of their own: inputs, written before each run, and constants, written once. */
  readonly given: readonly Tensor[];
  readonly stores: readonly Store[];
  /** Of each tensor that the program gives back. */
  readonly outputs: ReadonlyMap<Tensor, Place>;
  /** Bytes of the arena: the peak of all intermediates and scratch. */
  readonly arenaBytes: number;
  /** The lower bound of any arena for this order of calls. */
  readonly liveBytes: number;
}

export interface PlanOptions {
  readonly outputs: readonly Tensor[];
  readonly updates: readonly Node[];
  readonly traits: AdapterTraits;
  readonly maxBufferBytes: number;
  /** The largest storage binding; dispatches over more are cut into slices. */
  readonly maxBindingBytes: number;
}

const BYTES = 4;

/** Decides the order of kernel calls, the variant of each, and the place of every tensor. */
export function plan({ outputs, updates, traits, maxBufferBytes, maxBindingBytes }: PlanOptions): Plan {
  const limits = { maxBindingBytes, maxWorkgroupsPerDimension: traits.maxWorkgroupsPerDimension };
  const computed = nodesBefore([...outputs, ...updates.flatMap((node) => node.inputs)]);
  // Updates change what other nodes read, so they come last.
  const nodes = [...computed, ...updates];
  const pinned = grantPins(nodes);

  const calls: { readonly planned: Omit<PlannedCall, 'places'>; readonly operands: Readonly<Record<string, Tensor>> }[] = [];
  for (const node of nodes) {
    for (const use of node.op.lower(node, pinned).flatMap(separateOperands)) {
      const problem = use.problem as never;
      const call = withinLimits(use.kernel.calls(problem, traits), limits, (operand) => describeOperand(use, operand));
      if (call === undefined) throw new ShapeError(`${use.kernel.name} has no variant for this adapter`);
      const label = node.outputs.length > 0 && node.outputs[0].name !== node.op.name ? `${use.kernel.name} ${node.outputs[0].name}` : use.kernel.name;
      checkOperands(use.kernel.name, call, use.operands);
      calls.push({ planned: { kernel: use.kernel, label, call, cost: use.kernel.cost(problem), node }, operands: use.operands });
    }
  }

  // Lifetimes: of tensors from the call that writes them first to the last that touches them, of scratch its call alone.
  const lifetimes: Lifetime[] = [];
  const arenaIndex = new Map<Tensor, number>();
  const scratchIndex = new Map<string, number>();
  const first = new Map<Tensor, number>();
  const last = new Map<Tensor, number>();
  calls.forEach(({ planned, operands }, index) => {
    for (const [name, operand] of Object.entries(planned.call.operands)) {
      const tensor = operands[name];
      if (tensor === undefined) {
        scratchIndex.set(`${index} ${name}`, lifetimes.length);
        lifetimes.push({ bytes: BYTES * operand.length, first: index, last: index });
        continue;
      }
      const base = root(tensor);
      if (!first.has(base)) first.set(base, index);
      last.set(base, index);
    }
  });
  for (const tensor of outputs) last.set(root(tensor), calls.length);
  for (const [tensor, start] of first) {
    if (tensor.origin.kind !== 'node' || pinned.has(tensor)) continue;
    arenaIndex.set(tensor, lifetimes.length);
    lifetimes.push({ bytes: BYTES * tensor.length, first: start, last: last.get(tensor) ?? start });
  }
  const layout = layOutArena(lifetimes, maxBufferBytes);

  const given = new Set<Tensor>();
  const stores = new Set<Store>();
  const placeOf = (tensor: Tensor): Place => {
    const base = root(tensor);
    const pin = pinned.get(base) ?? (base.origin.kind === 'stored' ? base.origin : undefined);
    if (pin !== undefined) {
      stores.add(pin.store);
      return { kind: 'stored', store: pin.store, offset: pin.offset, length: tensor.length };
    }
    if (base.origin.kind === 'input' || base.origin.kind === 'constant') {
      given.add(base);
      return { kind: 'given', tensor: base, length: tensor.length };
    }
    const index = arenaIndex.get(base);
    if (index === undefined) throw new ShapeError(`nothing computes ${describe(base)}`);
    return { kind: 'arena', offset: layout.offsets[index] / BYTES, length: tensor.length };
  };
  const placed = calls.map(({ planned, operands }, index): PlannedCall => {
    const places = Object.entries(planned.call.operands).map(([name, operand]): [string, Place] => {
      const scratch = scratchIndex.get(`${index} ${name}`);
      if (scratch === undefined) return [name, placeOf(operands[name])];
      return [name, { kind: 'arena', offset: layout.offsets[scratch] / BYTES, length: operand.length }];
    });
    return { ...planned, places: Object.fromEntries(places) };
  });
  return {
    calls: placed,
    outputs: new Map(outputs.map((tensor) => [tensor, placeOf(tensor)])),
    given: [...given],
    stores: [...stores],
    arenaBytes: layout.bytes,
    liveBytes: layout.liveBytes,
  };
}

/**
 * WebGPU forbids to bind memory twice where one binding can write, and all of ours can (see Dispatch). Where a kernel takes
 * one tensor for two operands, as in x * x, all but the first get a copy.
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

/** The tensor whose memory this one is: itself, unless it is a view. */
function root(tensor: Tensor): Tensor {
  let base = tensor;
  while (base.origin.kind === 'node' && base.origin.node.op.view === true) base = base.origin.node.inputs[0];
  return base;
}

function grantPins(nodes: readonly Node[]): Map<Tensor, Pin> {
  const pinned = new Map<Tensor, Pin>();
  for (const node of nodes) {
    for (const pin of node.op.pins?.(node) ?? []) {
      const { origin } = pin.tensor;
      if (origin.kind === 'node' && origin.node.op.view !== true && !pinned.has(pin.tensor)) pinned.set(pin.tensor, pin);
    }
  }
  return pinned;
}

function describeOperand({ kernel, operands }: KernelUse, operand: string): string {
  const tensor = operands[operand];
  return `${operand} of ${kernel.name}${tensor === undefined ? '' : `, tensor ${describe(tensor)},`}`;
}

function checkOperands(kernel: string, call: KernelCall, operands: Readonly<Record<string, Tensor>>): void {
  for (const [name, operand] of Object.entries(call.operands)) {
    const tensor = operands[name];
    if (tensor === undefined) {
      if (operand.role !== 'scratch' && operand.role !== 'output') throw new ShapeError(`${kernel}: no tensor was given for operand ${name}`);
    } else if (tensor.length !== operand.length || tensor.type !== operand.type) {
      throw new ShapeError(`${kernel}: operand ${name} has ${operand.length} elements of ${operand.type}, but was given ${describe(tensor)}`);
    }
  }
  for (const name of Object.keys(operands)) {
    if (call.operands[name] === undefined) throw new ShapeError(`${kernel} has no operand called ${name}`);
  }
}
