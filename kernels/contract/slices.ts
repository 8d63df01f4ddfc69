import type { Dispatch, SliceWindows } from './dispatch.ts';

/** Bytes that every WebGPU adapter can bind as storage. */
export const ALWAYS_BOUND = 128 * 2 ** 20;

/** Bindings begin at multiples of so many bytes: the strictest alignment that an adapter may ask for. */
export const BINDING_ALIGNMENT = 256;

/**
 * A dispatch over `units` that can be cut between any two of them.
 * @param elements of each operand that lies unit by unit, how many a unit has; may be a fraction of one. Names that the
 * dispatch does not bind do not matter.
 * @param launch the dispatch for `count` units from `first` on, its operands' windows starting at `first`; of `first`
 * only kernels that give indices away need to know. Constants and whatever else decides on the order of sums must not
 * change.
 */
export function sliceable(
  units: number,
  elements: Readonly<Record<string, number>>,
  launch: (count: number, first: number) => Dispatch,
): Dispatch {
  const whole = launch(units, 0);
  const cut = Object.entries(elements).filter(([name]) => whole.operands.includes(name));
  const windows = (first: number, count: number): SliceWindows =>
    Object.fromEntries(cut.map(([name, each]) => [name, { offset: first * each, length: Math.ceil(count * each) }]));
  return { ...whole, slices: { units, windows, launch } };
}

/** A dispatch whose operands have other names. */
export function renamed(dispatch: Dispatch, rename: (operand: string) => string): Dispatch {
  const { operands, slices } = dispatch;
  const ofWindows = (windows: SliceWindows): SliceWindows =>
    Object.fromEntries(Object.entries(windows).map(([name, window]) => [rename(name), window]));
  return {
    ...dispatch,
    operands: operands.map(rename),
    slices: slices && {
      units: slices.units,
      windows: (first, count) => ofWindows(slices.windows(first, count)),
      launch: (count, first) => renamed(slices.launch(count, first), rename),
    },
  };
}
