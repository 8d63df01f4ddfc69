// float32 to 16-bit floats (IEEE 754 binary16) or back, in integers: the same bits on every device, whether it has 16-bit floats or
// not. WGSL's own conversion may round either way and may flush subnormals.
//
//   TO_HALF: cast[i] = the nearest binary16 of values[i], ties to even; what is too large becomes infinite, a NaN stays a NaN
//   else:    cast[i] = values[i], exactly
//
// singles  [count] f32, as bits
// halves   [ceil(count / 2)] words of two binary16, the first in the lower bits; an odd count leaves the last half zero
// Dispatch: foldGrid(ceil(ceil(count / 2) / WORKGROUP_SIZE)); one invocation a word.
// Constants: TO_HALF, WORKGROUP_SIZE.
// Source: kernels/contract/half.ts is the same on the CPU.

struct Parameters {
  count: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> singles: array<u32>;
@group(0) @binding(2) var<storage, read_write> halves: array<u32>;

const INFINITY = 0x7f800000u;
const HIDDEN_BIT = 0x00800000u;
// 65,520: halfway between the largest binary16 and what would come next. It rounds to infinity.
const HALF_OVERFLOW = 0x477ff000u;
// 2^-14, the smallest normal binary16, and 2^-25, half of the smallest subnormal, a tie that rounds to zero.
const HALF_SMALLEST_NORMAL = 0x38800000u;
const HALF_UNDERFLOW = 0x33000000u;
// The difference of the exponent biases, 127 - 15, where binary32 keeps its exponent.
const BIAS_DIFFERENCE = 112u << 23u;

// value / 2^shift to the nearest integer, ties to even. A carry into the exponent is as it should be.
fn roundShift(value: u32, shift: u32) -> u32 {
  let odd = (value >> shift) & 1u;
  return (value + (1u << (shift - 1u)) - 1u + odd) >> shift;
}

fn halfOf(single: u32) -> u32 {
  let sign = (single >> 16u) & 0x8000u;
  let magnitude = single & 0x7fffffffu;
  if (magnitude > INFINITY) {
    return sign | 0x7e00u | ((magnitude >> 13u) & 0x3ffu);
  }
  if (magnitude >= HALF_OVERFLOW) {
    return sign | 0x7c00u;
  }
  if (magnitude <= HALF_UNDERFLOW) {
    return sign;
  }
  if (magnitude >= HALF_SMALLEST_NORMAL) {
    return sign | roundShift(magnitude - BIAS_DIFFERENCE, 13u);
  }
  // A subnormal counts units of 2^-24, and the significand those of 2^(exponent - 150).
  return sign | roundShift((magnitude & (HIDDEN_BIT - 1u)) | HIDDEN_BIT, 126u - (magnitude >> 23u));
}

fn singleOf(half: u32) -> u32 {
  let sign = (half & 0x8000u) << 16u;
  let exponent = (half >> 10u) & 0x1fu;
  let fraction = half & 0x3ffu;
  if (exponent == 0x1fu) {
    return sign | INFINITY | (fraction << 13u);
  }
  if (exponent != 0u) {
    return sign | (((half & 0x7fffu) << 13u) + BIAS_DIFFERENCE);
  }
  if (fraction == 0u) {
    return sign;
  }
  // A subnormal is normal in binary32: its leading one becomes the hidden bit.
  let shift = countLeadingZeros(fraction) - 8u;
  return sign | ((126u - shift) << 23u) | ((fraction << shift) & (HIDDEN_BIT - 1u));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let word = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  let first = 2u * word;
  if (first >= parameters.count) {
    return;
  }
  let both = first + 1u < parameters.count;
  if (TO_HALF) {
    let upper = select(0u, halfOf(singles[select(first, first + 1u, both)]), both);
    halves[word] = halfOf(singles[first]) | (upper << 16u);
  } else {
    singles[first] = singleOf(halves[word] & 0xffffu);
    if (both) {
      singles[first + 1u] = singleOf(halves[word] >> 16u);
    }
  }
}
