// softmax(logits / temperature) and its entropy.
//
// With z = logits[i] / temperature, m = max z, e_c = exp(z_c - m), s = sum of e:
//   probabilities[i, c] = e_c / s
//   entropy[i]          = - sum p log p = log s - (sum of e_c (z_c - m)) / s
//
// logits, probabilities   [rows, classes] f32
// entropy                 [rows] f32
// Dispatch and entry points: see softmax-rows.wgsl, the library put before it. Constants: WORKGROUP_SIZE.

struct Parameters {
  rows: u32,
  classes: u32,
  inverseTemperature: f32,
  block: u32, // classes that are summed one after the other
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(3) var<storage, read_write> entropy: array<f32>;

alias Sums = vec2f;

/// Over some classes of a row: the sum of exponentials, and that of exponentials times shifted logits. In blocks, so that the
/// rounding error grows with the square root of the number of classes.
fn sumsOf(row: u32, highest: f32, first: u32, stride: u32) -> Sums {
  var sums = Sums();
  for (var begin = first; begin < parameters.classes; begin += parameters.block * stride) {
    let end = min(begin + parameters.block * stride, parameters.classes);
    var partial = Sums();
    for (var c = begin; c < end; c += stride) {
      let shifted = logit(row, c) - highest;
      let power = exp(shifted);
      // Without the test, a class of probability 0 could bring 0 * -inf: x log x is 0 there.
      partial += Sums(power, select(power * shifted, 0.0, power == 0.0));
    }
    sums += partial;
  }
  return sums;
}

fn writeClasses(row: u32, highest: f32, sums: Sums, first: u32, stride: u32) {
  for (var c = first; c < parameters.classes; c += stride) {
    probabilities[row * parameters.classes + c] = exp(logit(row, c) - highest) / sums.x;
  }
}

fn writeRow(row: u32, sums: Sums) {
  entropy[row] = log(sums.x) - sums.y / sums.x;
}
