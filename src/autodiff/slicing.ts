import type { KernelCall, Operand } from '../../kernels/kernel.ts';
import { BINDING_ALIGNMENT, type Dispatch, type Slices, type Windows } from '../gpu/dispatch.ts';
import { LimitError } from '../gpu/errors.ts';

/** What one dispatch may bind and launch. */
export interface DispatchLimits {
  readonly maxBindingBytes: number;
  readonly maxWorkgroupsPerDimension: number;
}

type Operands = Readonly<Record<string, Operand>>;

const BYTES = 4;
/** Of so many units, some are a multiple of BINDING_ALIGNMENT elements, even where a unit is a number of bytes. */
const MOST_UNITS_TO_ALIGNMENT = 4 * BINDING_ALIGNMENT;

/**
 * The first call that the limits allow, those of its dispatches that exceed them cut into slices. Variant, tiles and splits
 * are chosen for the whole problem before anything is cut: results have the same bits as without limits, unless the limits
 * rule a variant out.
 * @param describeOperand names an operand for messages
 * @throws LimitError that says what rules out the first call, if no call is left
 */
export function withinLimits(calls: readonly KernelCall[], limits: DispatchLimits, describeOperand = (name: string): string => name): KernelCall | undefined {
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
  const dispatches = call.dispatches.flatMap((dispatch) => slicedDispatch(dispatch, call.operands, limits, describeOperand));
  return { ...call, dispatches };
}

/** The dispatch, or slices of it that do the same one after the other: each as large as the limits allow. */
function slicedDispatch(dispatch: Dispatch, operands: Operands, limits: DispatchLimits, describeOperand: (name: string) => string): readonly Dispatch[] {
  const tooMuch = excess(dispatch, operands, limits);
  if (tooMuch === undefined) return [dispatch];
  const { slices } = dispatch;
  if (slices === undefined) throw limitError(dispatch, tooMuch, 'and cannot be cut', describeOperand);

  const step = unitsToAlignment(slices);
  const result: Dispatch[] = [];
  for (let first = 0; first < slices.units; ) {
    const rest = slices.units - first;
    const fits = (steps: number): boolean => excess(slice(slices, operands, first, Math.min(steps * step, rest)), operands, limits) === undefined;
    const steps = largest(Math.ceil(rest / step), fits);
    if (steps === 0) {
      const smallest = slice(slices, operands, first, Math.min(step, rest));
      throw limitError(smallest, excess(smallest, operands, limits) ?? tooMuch, 'in the smallest slice', describeOperand);
    }
    const count = Math.min(steps * step, rest);
    result.push(slice(slices, operands, first, count));
    first += count;
  }
  return result;
}

function slice({ windows, launch }: Slices, operands: Operands, first: number, count: number): Dispatch {
  const inside = Object.entries(windows(first, count)).map(([name, { offset, length }]) => [name, { offset, length: Math.min(length, operands[name].length - offset) }]);
  return { ...launch(count, first), windows: Object.fromEntries(inside) as Windows };
}

/** How many units lie between places at which a binding may begin. */
function unitsToAlignment({ windows }: Slices): number {
  let units = 1;
  while (units < MOST_UNITS_TO_ALIGNMENT && Object.values(windows(units, 1)).some(({ offset }) => offset % BINDING_ALIGNMENT !== 0)) units *= 2;
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

type Excess = { readonly operand: string; readonly bytes: number; readonly limit: number } | { readonly workgroups: readonly number[]; readonly limit: number };

/** The first limit that a dispatch exceeds. */
function excess({ operands: names, windows, workgroups }: Dispatch, operands: Operands, { maxBindingBytes, maxWorkgroupsPerDimension }: DispatchLimits): Excess | undefined {
  for (const operand of names) {
    const bytes = BYTES * (windows?.[operand] ?? operands[operand]).length;
    if (bytes > maxBindingBytes) return { operand, bytes, limit: maxBindingBytes };
  }
  if (workgroups.some((count) => count > maxWorkgroupsPerDimension)) return { workgroups, limit: maxWorkgroupsPerDimension };
  return undefined;
}

function limitError({ shader }: Dispatch, tooMuch: Excess, how: string, describeOperand: (name: string) => string): LimitError {
  if ('operand' in tooMuch) {
    const { operand, bytes, limit } = tooMuch;
    return new LimitError(
      `${shader}: operand ${describeOperand(operand)} has ${bytes} bytes ${how}; this adapter binds at most ${limit} (maxStorageBufferBindingSize). ` +
        'Use a smaller resolution or layer.',
    );
  }
  return new LimitError(
    `${shader}: a grid of ${tooMuch.workgroups.join(' x ')} workgroups ${how}; this adapter allows ${tooMuch.limit} a dimension. Use a smaller resolution or layer.`,
  );
}
