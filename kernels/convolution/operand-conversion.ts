import type { Dispatch } from '../contract/dispatch.ts';
import { renamed } from '../contract/slices.ts';
import type { KernelCall, Operand } from '../kernel.ts';

/** The form in which a caller has some operands of a call, and how it becomes the form that the call takes. */
export interface OperandConversion {
  /** Describes the call's form, for the names of the variant and of the converted operands. */
  readonly name: string;
  /** The operands that are converted, as the caller has them. */
  readonly operands: Readonly<Record<string, Operand>>;
  /** Dispatches that write operand `to` in the call's form from operand `from` in the caller's. */
  before(from: string, to: string): readonly Dispatch[];
  /** The same from the call's form to the caller's. */
  after(from: string, to: string): readonly Dispatch[];
}

/**
 * A call whose inputs are converted into scratch before it, and its outputs out of scratch after it, in the order of
 * the conversion's operands. Costs memory for the time of the call, and a pass over each converted operand.
 */
export function convertOperands(
  call: KernelCall,
  { name: form, operands, before, after }: OperandConversion,
): KernelCall {
  const converted = (name: string): string => (name in operands ? `${name} ${form}` : name);
  const namesOf = (role: 'input' | 'output'): string[] =>
    Object.keys(operands).filter((name) => operands[name].role === role);
  return {
    ...call,
    variant: `${call.variant}, ${form}`,
    operands: {
      ...Object.fromEntries(
        Object.entries(call.operands).map(([name, operand]): [string, Operand] => [
          converted(name),
          name in operands ? { ...operand, role: 'scratch' } : operand,
        ]),
      ),
      ...operands,
    },
    dispatches: [
      ...namesOf('input').flatMap((name) => before(name, converted(name))),
      ...call.dispatches.map((dispatch) => renamed(dispatch, converted)),
      ...namesOf('output').flatMap((name) => after(converted(name), name)),
    ],
  };
}
