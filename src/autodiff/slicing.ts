import type { KernelCall, Operand } from '../../kernels/kernel.ts';
import type { Dispatch, Slices } from '../../kernels/contract/dispatch.ts';
import { elementBytes, storageBytes } from '../../kernels/contract/element-types.ts';
import { BINDING_ALIGNMENT } from '../../kernels/contract/slices.ts';
import { LimitError } from '../gpu/errors.ts';

/** What one dispatch may bind and launch. */
export interface DispatchLimits {
  readonly maxBindingBytes: number;
  readonly maxWorkgroupsPerDimension: number;
}

type Operands = Readonly<Record<string, Operand>>;

/** So many units are a multiple of BINDING_ALIGNMENT bytes, whatever whole number of bytes a unit has. */
const MOST_UNITS_TO_ALIGNMENT = BINDING_ALIGNMENT;

/**
 * The first call that the limits allow, those of its dispatches that exceed them cut into slices. Variant, tiles and
 * splits are chosen for the whole problem before anything is cut: results have the same bits as without limits, unless
 * the limits rule a variant out.
 * @param describeOperand names an operand for messages
 * @throws LimitError that says what rules out the first call, if no call is left
 */
export function withinLimits(
  calls: readonly KernelCall[],
  limits: DispatchLimits,
  describeOperand = (name: string): string => name,
): KernelCall | undefined {
  let failure: LimitError | undefined;
  for (const call of calls) {
    try {
      return slicedCall(call, limits, describeOperand);
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

function slicedCall(call: KernelCall, limits: DispatchLimits, describeOperand: (name: string) => string): KernelCall {
  if (call.dispatches.every((dispatch) => excess(dispatch, call.operands, limits) === undefined)) return call;
  const sliced = call.dispatches.map((dispatch) => slicedDispatch(dispatch, call.operands, limits, describeOperand));
  // What else the call says of its dispatches by their places is true of all their slices.
  const firsts = sliced.map((_, index) => sliced.slice(0, index).flat().length);
  const prepacking = call.prepacking && firsts[call.prepacking];
  const again =
    call.again &&
    Object.fromEntries(
      Object.entries(call.again).map(([output, part]) => [
        output,
        {
          ...part,
          dispatches: part.dispatches.flatMap((index) => sliced[index].map((__, slice) => firsts[index] + slice)),
        },
      ]),
    );
  return { ...call, again, prepacking, dispatches: sliced.flat() };
}

/** The dispatch, or slices of it that do the same one after the other: each as large as the limits allow. */
function slicedDispatch(
  dispatch: Dispatch,
  operands: Operands,
  limits: DispatchLimits,
  describeOperand: (name: string) => string,
): readonly Dispatch[] {
  const tooMuch = excess(dispatch, operands, limits);
  if (tooMuch === undefined) return [dispatch];
  const { slices } = dispatch;
  if (slices === undefined) throw limitError(dispatch, tooMuch, 'and cannot be cut', describeOperand);

  const step = unitsToAlignment(slices, operands);
  const result: Dispatch[] = [];
  for (let first = 0; first < slices.units;) {
    const rest = slices.units - first;
    const fits = (steps: number): boolean =>
      excess(slice(slices, operands, first, Math.min(steps * step, rest)), operands, limits) === undefined;
    const steps = largest(Math.ceil(rest / step), fits);
    if (steps === 0) {
      const smallest = slice(slices, operands, first, Math.min(step, rest));
      throw limitError(
        smallest,
        excess(smallest, operands, limits) ?? tooMuch,
        'in the smallest slice',
        describeOperand,
      );
    }
    const count = Math.min(steps * step, rest);
    result.push(slice(slices, operands, first, count));
    first += count;
  }
  return result;
}

function slice({ windows, launch }: Slices, operands: Operands, first: number, count: number): Dispatch {
  const inside = Object.entries(windows(first, count)).map(
    ([name, { offset, length }]): [string, { offset: number; size: number }] => {
      const { type, length: all } = operands[name];
      return [name, { offset: elementBytes(type) * offset, size: storageBytes(type, Math.min(length, all - offset)) }];
    },
  );
  return { ...launch(count, first), windows: Object.fromEntries(inside) };
}

/** How many units lie between places at which a binding may begin. */
function unitsToAlignment({ windows }: Slices, operands: Operands): number {
  const aligned = (units: number): boolean =>
    Object.entries(windows(units, 1)).every(
      ([name, { offset }]) => (elementBytes(operands[name].type) * offset) % BINDING_ALIGNMENT === 0,
    );
  let units = 1;
  while (units < MOST_UNITS_TO_ALIGNMENT && !aligned(units)) units *= 2;
  return units;
}

/** The largest number up to `most` that fits, given that all smaller ones then fit too; 0 if none does. */
function largest(most: number, fits: (count: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

type Excess =
  | { readonly operand: string; readonly bytes: number; readonly limit: number }
  | { readonly workgroups: readonly number[]; readonly limit: number };

/** The first limit that a dispatch exceeds. */
function excess(
  { operands: names, windows, workgroups }: Dispatch,
  operands: Operands,
  { maxBindingBytes, maxWorkgroupsPerDimension }: DispatchLimits,
): Excess | undefined {
  for (const operand of names) {
    const bytes = windows?.[operand]?.size ?? storageBytes(operands[operand].type, operands[operand].length);
    if (bytes > maxBindingBytes) return { operand, bytes, limit: maxBindingBytes };
  }
  if (workgroups.some((count) => count > maxWorkgroupsPerDimension))
    return { workgroups, limit: maxWorkgroupsPerDimension };
  return undefined;
}

function limitError(
  { shader, windows }: Dispatch,
  tooMuch: Excess,
  how: string,
  describeOperand: (name: string) => string,
): LimitError {
  if ('operand' in tooMuch) {
    const { operand, bytes, limit } = tooMuch;
    // What every slice reads whole is as large in the smallest: there cutting does not help, and the batch may be the
    // cause.
    const whole = windows !== undefined && windows[operand] === undefined;
    return new LimitError(
      `${shader.name}: operand ${describeOperand(operand)} has ${bytes} bytes ${whole ? 'and every slice needs all of it' : how}; ` +
        `this adapter binds at most ${limit} (maxStorageBufferBindingSize). Use a smaller ${whole ? 'batch, ' : ''}resolution or layer.`,
    );
  }
  return new LimitError(
    `${shader.name}: a grid of ${tooMuch.workgroups.join(' x ')} workgroups ${how}; this adapter allows ${tooMuch.limit} a dimension. Use a smaller resolution or layer.`,
  );
}
