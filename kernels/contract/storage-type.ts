import type { AdapterTraits } from './adapter-traits.ts';
import type { FloatType } from './element-types.ts';
import type { Expected } from '../kernel.ts';

/**
 * A problem whose activations may be stored as 16-bit floats. Arithmetic, sums, parameters and statistics are f32
 * always.
 */
export interface StorageType {
  /** Type of activations and of their gradients; f32 if left out. */
  readonly type?: FloatType;
}

/** Whether an adapter can store a problem's activations so; if not, its kernel offers no variant. */
export const canStore = ({ type }: StorageType, traits: AdapterTraits): boolean =>
  type !== 'f16' || traits.f16 === true;

/** The relative error of rounding to the nearest binary16, and the absolute one where it is subnormal. */
const HALF_EPSILON = 2 ** -11;
const HALF_SUBNORMAL = 2 ** -25;
/** Halfway between the largest binary16 and what would come next. */
const HALF_OVERFLOW = 65520;

/**
 * What a result becomes when it is stored. WGSL lets a device round either way. Ours must round to nearest: truncation
 * would bias sums of gradients, and turn what is too large into 65,504 where loss scaling must get to see an infinity.
 */
export function whenStored({ value, error }: Expected, { type }: StorageType): Expected {
  if (type !== 'f16') return { value, error };
  return {
    value: value.map((exact) => (Math.abs(exact) >= HALF_OVERFLOW ? Math.sign(exact) * Infinity : exact)),
    error: error.map((bound, i) => bound + HALF_EPSILON * (Math.abs(value[i]) + bound) + HALF_SUBNORMAL),
  };
}
