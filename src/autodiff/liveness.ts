import { storageBytes } from '../../kernels/contract/element-types.ts';
import type { Lifetime } from './arena.ts';
import type { ScheduledCall } from './plan-types.ts';
import type { Tensor } from './tensor.ts';

export interface Liveness {
  readonly lifetimes: readonly Lifetime[];
  /** Which of them a tensor has. */
  readonly ofTensor: ReadonlyMap<Tensor, number>;
  /** Which of them an operand without a tensor has, by index of the call and name. */
  readonly ofScratch: ReadonlyMap<string, number>;
}

/**
 * From when to when everything in the arena is needed: tensors from the call that writes them first to the last that
 * touches them, outputs to the end, scratch for its call alone.
 * @param elsewhere whether a tensor that the graph computes has its place in a store
 */
export function livenessOf(
  calls: readonly ScheduledCall[],
  outputs: readonly Tensor[],
  elsewhere: (tensor: Tensor) => boolean,
): Liveness {
  const lifetimes: Lifetime[] = [];
  const ofTensor = new Map<Tensor, number>();
  const ofScratch = new Map<string, number>();
  const first = new Map<Tensor, number>();
  const last = new Map<Tensor, number>();
  calls.forEach(({ planned, operands }, index) => {
    for (const [name, operand] of Object.entries(planned.call.operands)) {
      const tensor = operands[name];
      if (tensor === undefined) {
        ofScratch.set(scratchKey(index, name), lifetimes.length);
        lifetimes.push({ bytes: storageBytes(operand.type, operand.length), first: index, last: index });
        continue;
      }
      const base = root(tensor);
      if (!first.has(base)) first.set(base, index);
      last.set(base, index);
    }
  });
  for (const tensor of outputs) last.set(root(tensor), calls.length);
  for (const [tensor, start] of first) {
    if (tensor.origin.kind !== 'node' || elsewhere(tensor)) continue;
    ofTensor.set(tensor, lifetimes.length);
    lifetimes.push({ bytes: tensor.bytes, first: start, last: last.get(tensor) ?? start });
  }
  return { lifetimes, ofTensor, ofScratch };
}

export const scratchKey = (call: number, operand: string): string => `${call} ${operand}`;

/** The tensor whose memory this one is: itself, unless it is a view. */
export function root(tensor: Tensor): Tensor {
  let base = tensor;
  while (base.origin.kind === 'node' && base.origin.node.op.view === true) base = base.origin.node.inputs[0];
  return base;
}
