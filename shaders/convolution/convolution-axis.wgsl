// Which source pixels a destination pixel of a convolution meets, along one axis, forward or in the data gradient.
//
// A library, no shader: put before those of the gather convolutions. With the destination split into phases of `stride`, the
// source pixels of one destination pixel are consecutive in the data gradient too, so that one kernel serves both.
//
//   forward        destination p reads source p * stride - padding + k for each tap k
//   data gradient  destination h reads source (h + padding - k) / stride for each tap k where the division leaves no rest
//
// Constants: DATA_GRADIENT.

// Destination pixels p of a phase, at `phase + p * step`, read `taps` consecutive source pixels from
// `origin + p * stride`; the weight of tap t is at `firstTap + t * tapStep`.
struct Axis {
  pixels: u32,
  phase: u32,
  step: u32,
  stride: i32,
  origin: i32,
  taps: u32,
  firstTap: i32,
  tapStep: i32,
}

fn axis(size: u32, kernel: u32, stride: u32, padding: u32, phase: u32) -> Axis {
  if (!DATA_GRADIENT) {
    return Axis(size, 0u, 1u, i32(stride), -i32(padding), kernel, 0, 1);
  }
  // Only taps k with k = phase + padding (mod stride) meet this phase. The last of them reads the first source pixel.
  let rest = (phase + padding) % stride;
  let taps = select((kernel - 1u - rest) / stride + 1u, 0u, rest >= kernel);
  let firstTap = i32(rest) + (i32(taps) - 1) * i32(stride);
  let origin = (i32(phase + padding) - firstTap) / i32(stride);
  return Axis((size - phase + stride - 1u) / stride, phase, stride, 1, origin, taps, firstTap, -i32(stride));
}
