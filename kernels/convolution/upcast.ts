import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import { renamed } from '../contract/slices.ts';
import { cast } from '../elementwise/cast.ts';
import type { KernelCall, Operand } from '../kernel.ts';
import { convertOperands } from './operand-conversion.ts';

/**
 * A call for f32 made to take and give f16: what it reads is upcast before it, what it writes downcast after it. Pays
 * where a processor in software has a fast variant for f32 alone.
 * @param operands of the call that comes out; those of them that are f16 and no scratch are converted
 */
export function upcast(
  call: KernelCall,
  operands: Readonly<Record<string, Operand>>,
  traits: AdapterTraits,
): KernelCall {
  const halves = Object.fromEntries(
    Object.entries(call.operands).flatMap(([name, { role }]) =>
      role !== 'scratch' && operands[name]?.type === 'f16' ? [[name, operands[name]]] : [],
    ),
  );
  const castTo =
    (to: 'f16' | 'f32') =>
    (from: string, into: string): readonly Dispatch[] => {
      const { length: count } = halves[to === 'f32' ? from : into];
      const [{ dispatches }] = cast.calls({ count, to }, traits);
      return dispatches.map((dispatch) => renamed(dispatch, (operand) => (operand === 'values' ? from : into)));
    };
  return convertOperands(call, { name: 'upcast', operands: halves, before: castTo('f32'), after: castTo('f16') });
}
