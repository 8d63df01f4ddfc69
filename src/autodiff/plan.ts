import type { KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { storageBytes } from '../../kernels/contract/element-types.ts';
import { FeatureError } from '../gpu/errors.ts';
import { layOutArena } from './arena.ts';
import { selectedCall, tuningKey, type VariantSelector, type Choices, type TuningProblem } from './variant-selector.ts';
import { hoistConstants } from './constant-hoisting.ts';
import { indexChecks } from './indices.ts';
import { nodesBefore } from './nodes-before.ts';
import { livenessOf, root, scratchKey } from './liveness.ts';
import { offeredCalls } from './offered-calls.ts';
import type { KernelUse, Pin } from './op.ts';
import { identity } from './ops/identity.ts';
import type { recompute } from './recompute.ts';
import { withinLimits } from './slicing.ts';
import { stagedInputs } from './staging.ts';
import { describe, type GraphNode, ShapeError, type ParameterStore, type Tensor } from './tensor.ts';
import type { PlannedCall, Place, Plan, PlanOptions, ScheduledCall } from './plan-types.ts';

export type { IndexCheck, PlannedCall, Place, Plan, PlanOptions, Recomputed, ScheduledCall } from './plan-types.ts';

/**
 * Decides the order of kernel calls, the variant of each, and the place of every tensor.
 * @param recomputed `recompute` where there is an `arenaBudget`. It is an argument, so that a page without a budget does not
 * load it.
 */
export function plan(
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
      const chosen = selectedCall(offered, choices?.get(tuningKey({ ...use, prepacked: frozen })));
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
    ? hoistConstants(inOrder)
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
  const stores = new Set<ParameterStore>();
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
 * A selector's answers for a plan. What a plan asks may depend on the answers before, so it is planned until nothing is
 * open.
 */
export async function choicesFor(selector: VariantSelector, options: Omit<PlanOptions, 'choices'>): Promise<Choices> {
  const choices = new Map<string, string>();
  const asked = new Set<string>();
  for (;;) {
    const open = tuningProblemsOf(plan({ ...options, choices })).filter(
      (tuningProblem) => !asked.has(tuningKey(tuningProblem)),
    );
    if (open.length === 0) return choices;
    const answers = await selector.select(open);
    for (const key of open.map(tuningKey)) {
      asked.add(key);
      const variant = answers.get(key);
      if (variant !== undefined) choices.set(key, variant);
    }
  }
}

/** The distinct tuning problems that a plan had to decide. */
export function tuningProblemsOf({ calls, frozen, frozenCalls }: Plan): readonly TuningProblem[] {
  const tuningProblems = new Map<string, TuningProblem>();
  for (const [index, { kernel, problem, offered }] of calls.entries()) {
    const key = tuningKey({ kernel, problem, prepacked: frozen });
    const uses = (tuningProblems.get(key)?.uses ?? 0) + (index < frozenCalls ? 0 : 1);
    tuningProblems.set(key, { kernel, problem, calls: offered, uses, prepacked: frozen });
  }
  return [...tuningProblems.values()];
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
): { readonly store: ParameterStore; readonly offset: number } | undefined {
  return pinned.get(tensor) ?? (tensor.origin.kind === 'stored' ? tensor.origin : undefined);
}

function grantPins(nodes: readonly GraphNode[]): Map<Tensor, Pin> {
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
