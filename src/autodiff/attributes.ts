/** Checks of what an op is given. Each throws ShapeError, which names the op, what it was given and what it takes. */
import { describe, ShapeError, type Shape, type Tensor } from './tensor.ts';

/** Sizes, strides and paddings reach kernels as words of 32 bits, and products of two of them must as well. */
const MOST = 65535;

/**
 * Refuses options that an op does not have: if it were ignored, the result would not be what was requested.
 */
export function checkOptions(op: string, options: object, known: readonly string[]): void {
  const other = Object.keys(options).find((name) => !known.includes(name));
  if (other !== undefined) throw new ShapeError(`${op} has no option ${other}; it takes ${known.join(', ')}`);
}

/** An integer from `least` to 65535. */
export function checkInteger(op: string, name: string, value: unknown, least: number): void {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > MOST) {
    throw new ShapeError(`${op}: ${name} is ${show(value)}; an integer from ${least} to ${MOST} was expected`);
  }
}

/** A finite number, not below `least`; above it where `above` is set. */
export function checkNumber(op: string, name: string, value: unknown, least = -Infinity, above = false): void {
  if (!Number.isFinite(value) || (value as number) < least || (above && value === least)) {
    throw new ShapeError(
      `${op}: ${name} is ${show(value)}; a finite number${least === -Infinity ? '' : ` ${above ? 'above' : 'from'} ${least}`} was expected`,
    );
  }
}

/** One integer for both axes, or [vertical, horizontal]. */
export function pairOf(
  op: string,
  name: string,
  value: number | readonly [number, number],
  least: number,
): readonly [number, number] {
  const pair: readonly number[] = typeof value === 'number' ? [value, value] : value;
  if (!Array.isArray(pair) || pair.length !== 2)
    throw new ShapeError(`${op}: ${name} is ${show(value)}; one integer or [vertical, horizontal] was expected`);
  for (const size of pair) checkInteger(op, name, size, least);
  return [pair[0], pair[1]];
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

/** Each tensor must have the shape. */
export function checkShape(op: string, shape: Shape, ...tensors: readonly (Tensor | undefined)[]): void {
  for (const tensor of tensors) {
    if (tensor !== undefined && !sameShape(tensor.shape, shape))
      throw new ShapeError(`${op}: ${describe(tensor)} was given where [${shape.join(', ')}] was expected`);
  }
}

const show = (value: unknown): string => (Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value));
