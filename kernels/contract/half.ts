/**
 * The two 16-bit floating-point formats of checkpoints, converted bit by bit so that the result is
 * the same on every machine: IEEE 754 binary16 ("F16") and bfloat16, the upper half of a binary32
 * ("BF16"). Widening is exact. Narrowing rounds to the nearest value, ties to even, keeps
 * subnormals, turns what is too large into infinity, and keeps a NaN a NaN.
 *
 * The functions work on bit patterns (unsigned integers), because a NaN that passes through a
 * JavaScript number may lose its payload on the way.
 */

const F32_INFINITY = 0x7f800000;
const F32_MAGNITUDE = 0x7fffffff;
const F32_HIDDEN_BIT = 0x00800000;

/** 65,520: halfway between the largest binary16 (65,504) and what would come next. It rounds to infinity. */
const F16_OVERFLOW = 0x477ff000;
/** 2^-14, the smallest normal binary16. */
const F16_SMALLEST_NORMAL = 0x38800000;
/** 2^-25, half of the smallest subnormal binary16. It is a tie, and rounds to zero, which is even. */
const F16_UNDERFLOW = 0x33000000;
/** The difference of the exponent biases, 127 - 15, where binary32 keeps its exponent. */
const BIAS_DIFFERENCE = (127 - 15) << 23;

/** binary16 bits to the binary32 bits of the same value. */
export function float16ToFloat32Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return (sign | F32_INFINITY | (fraction << 13)) >>> 0;
  if (exponent !== 0) return (sign | (((half & 0x7fff) << 13) + BIAS_DIFFERENCE)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  // A subnormal, fraction x 2^-24, is normal in binary32: its leading one becomes the hidden bit of a
  // significand in units of 2^(exponent - 150), so that exponent - 150 = -24 - shift.
  const shift = Math.clz32(fraction) - 8;
  return (sign | ((126 - shift) << 23) | ((fraction << shift) & ~F32_HIDDEN_BIT)) >>> 0;
}

/** binary32 bits to the bits of the nearest binary16. */
export function float32ToFloat16Bits(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & F32_MAGNITUDE;
  if (magnitude > F32_INFINITY) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= F16_OVERFLOW) return sign | 0x7c00;
  if (magnitude <= F16_UNDERFLOW) return sign;
  if (magnitude >= F16_SMALLEST_NORMAL) return sign | roundShift(magnitude - BIAS_DIFFERENCE, 13);
  // Below, the result counts units of 2^-24, and the significand those of 2^(exponent - 150).
  const significand = (magnitude & (F32_HIDDEN_BIT - 1)) | F32_HIDDEN_BIT;
  return sign | roundShift(significand, 126 - (magnitude >>> 23));
}

/** bfloat16 bits to the binary32 bits of the same value. */
export function bfloat16ToFloat32Bits(half: number): number {
  return (half << 16) >>> 0;
}

/** binary32 bits to the bits of the nearest bfloat16. */
export function float32ToBfloat16Bits(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & F32_MAGNITUDE;
  // The quiet bit is set because a payload that lies in the lower half alone would leave infinity.
  if (magnitude > F32_INFINITY) return sign | (magnitude >>> 16) | 0x40;
  return sign | roundShift(magnitude, 16);
}

/** Widens 16-bit patterns to floats with one of the functions above. */
export function widen(halves: Uint16Array, toFloat32Bits: (half: number) => number): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = toFloat32Bits(halves[i]);
  return new Float32Array(bits.buffer);
}

/** Narrows floats to 16-bit patterns with one of the functions above. */
export function narrow(floats: Float32Array, toHalfBits: (single: number) => number): Uint16Array {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) halves[i] = toHalfBits(bits[i]);
  return halves;
}

/** value / 2^shift to the nearest integer, ties to even. A carry into the exponent is as it should be. */
function roundShift(value: number, shift: number): number {
  const odd = (value >>> shift) & 1;
  return (value + (1 << (shift - 1)) - 1 + odd) >>> shift;
}
