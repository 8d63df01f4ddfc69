import type { Operand } from '../../kernels/kernel.ts';
import { root } from './liveness.ts';
import type { ScheduledCall } from './plan-types.ts';
import { Tensor } from './tensor.ts';

/**
 * Constant hoisting: moves to the front what depends on stores and constants alone, which are whole calls and the
 * prepacking of others.
 * @returns also the results that later calls read, which must outlive every run
 */
export function hoistConstants(inOrder: readonly ScheduledCall[]): {
  readonly scheduled: readonly ScheduledCall[];
  readonly frozenCalls: number;
  readonly kept: readonly Tensor[];
} {
  const isFrozen = new Set<Tensor>();
  const holds = (tensor: Tensor): boolean =>
    isFrozen.has(root(tensor)) || ['stored', 'constant'].includes(root(tensor).origin.kind);
  const [first, rest]: [ScheduledCall[], ScheduledCall[]] = [[], []];
  for (const call of inOrder.flatMap(separatePrepacking)) {
    const entries = Object.entries(call.planned.call.operands);
    const still = entries.every(
      ([name, { role }]) => role === 'output' || role === 'scratch' || (role === 'input' && holds(call.operands[name])),
    );
    (still ? first : rest).push(call);
    if (still)
      for (const [name, { role }] of entries)
        if (role === 'output' && call.operands[name] !== undefined) isFrozen.add(root(call.operands[name]));
  }
  const read = new Set(rest.flatMap(({ operands }) => Object.values(operands).map(root)));
  return {
    scheduled: [...first, ...rest],
    frozenCalls: first.length,
    kept: [...isFrozen].filter((tensor) => read.has(tensor)),
  };
}

/** Splits a call that prepacks weights into two calls; the scratch that both use becomes tensors. */
function separatePrepacking({ planned, operands }: ScheduledCall): readonly ScheduledCall[] {
  const { call, node, label } = planned;
  if (call.prepacking === undefined) return [{ planned, operands }];
  const halves = [call.dispatches.slice(0, call.prepacking), call.dispatches.slice(call.prepacking)];
  const [prepacks, uses] = halves.map((dispatches) => new Set(dispatches.flatMap((dispatch) => dispatch.operands)));
  const prepacked = Object.entries(call.operands).filter(
    ([name, { role }]) => role === 'scratch' && prepacks.has(name) && uses.has(name),
  );
  const tensors = Object.fromEntries(
    prepacked.map(([name, { type, length }]) => [
      name,
      new Tensor([length], type, { kind: 'node', node }, `${label} ${name}`),
    ]),
  );
  const half = (index: number, names: ReadonlySet<string>, role: 'output' | 'input'): ScheduledCall => {
    const own = Object.entries(call.operands).filter(([name]) => names.has(name));
    const roles = own.map(([name, operand]): [string, Operand] => [
      name,
      tensors[name] === undefined ? operand : { ...operand, role },
    ]);
    return {
      planned: {
        ...planned,
        label: index === 0 ? `${label} prepacking` : label,
        call: { variant: call.variant, operands: Object.fromEntries(roles), dispatches: halves[index] },
      },
      operands: { ...Object.fromEntries(Object.entries(operands).filter(([name]) => names.has(name))), ...tensors },
    };
  };
  return [half(0, prepacks, 'output'), half(1, uses, 'input')];
}
