import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import { renamed } from '../contract/slices.ts';
import { cast } from '../elementwise/cast.ts';
import type { KernelCall, Operand } from '../kernel.ts';

/**
 * A call for f32 made to take and give f16: what it reads is upcast into scratch before, what it writes downcast after
 * it. Costs memory for the time of the call, and two passes over each operand; it pays where a processor in software
 * has a fast variant for f32 alone.
 * @param operands of the call that comes out; those of them that are f16 and no scratch are converted
 */
export function upcast(
  call: KernelCall,
  operands: Readonly<Record<string, Operand>>,
  traits: AdapterTraits,
): KernelCall {
  const halves = new Set(
    Object.entries(call.operands).flatMap(([name, { role }]) =>
      role !== 'scratch' && operands[name]?.type === 'f16' ? [name] : [],
    ),
  );
  const single = (name: string): string => (halves.has(name) ? `${name} f32` : name);
  const convert = (name: string, to: 'f16' | 'f32'): Dispatch[] => {
    const [{ dispatches }] = cast.calls({ count: operands[name].length, to }, traits);
    const [from, into] = to === 'f32' ? [name, single(name)] : [single(name), name];
    return dispatches.map((dispatch) => renamed(dispatch, (operand) => (operand === 'values' ? from : into)));
  };
  const of = (role: 'input' | 'output'): string[] => [...halves].filter((name) => operands[name].role === role);
  return {
    variant: `${call.variant}, upcast`,
    operands: Object.fromEntries(
      Object.entries(call.operands).flatMap(([name, operand]): [string, Operand][] =>
        halves.has(name)
          ? [
              [name, operands[name]],
              [single(name), { role: 'scratch', type: 'f32', length: operand.length }],
            ]
          : [[name, operand]],
      ),
    ),
    dispatches: [
      ...of('input').flatMap((name) => convert(name, 'f32')),
      ...call.dispatches.map((dispatch) => renamed(dispatch, single)),
      ...of('output').flatMap((name) => convert(name, 'f16')),
    ],
  };
}
