// Cross-entropy of softmax(logits / temperature), fused with its gradient.
//
// With z = logits[i] / temperature, m = max z, s = sum over c of exp(z_c - m), and the target distribution t:
//   rowLoss[i]    = (sum t_c) log s - sum t_c (z_c - m)
//   dlogits[i, c] = (exp(z_c - m) / s * (sum t_c) - t_c) / (rows * temperature)
// so that the mean of rowLoss is the loss, and dlogits its gradient.
//
// logits, dlogits   [rows, classes] f32
// targets           labels [rows] u32 (the distribution is 1 there; NaN is the result of a label that is no class); or with SOFT [rows, classes] f32
// rowLoss           [rows] f32
// Dispatch and entry points: see softmax-rows.wgsl, the library put before it. Constants: Target (u32, or f32 with SOFT), SOFT, WORKGROUP_SIZE.

struct Parameters {
  rows: u32,
  classes: u32,
  inverseTemperature: f32,
  gradientScale: f32, // 1 / (rows * temperature)
  block: u32, // classes that are summed one after the other
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> targets: array<Target>;
@group(0) @binding(3) var<storage, read_write> rowLoss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

alias Sums = vec3f;

fn probability(row: u32, class_: u32) -> f32 {
  if (SOFT) {
    return f32(targets[row * parameters.classes + class_]);
  }
  return select(0.0, 1.0, u32(targets[row]) == class_);
}

/// Sums over some classes of a row: exponentials, targets, and targets times the shifted logits. In blocks, so that the
/// rounding error grows with the square root of the number of classes.
fn sumsOf(row: u32, highest: f32, first: u32, stride: u32) -> Sums {
  var sums = Sums();
  for (var begin = first; begin < parameters.classes; begin += parameters.block * stride) {
    let end = min(begin + parameters.block * stride, parameters.classes);
    var partial = Sums();
    for (var c = begin; c < end; c += stride) {
      let shifted = logit(row, c) - highest;
      let t = probability(row, c);
      // Without the test, a class that the target excludes could bring 0 * -inf.
      partial += Sums(exp(shifted), t, select(0.0, t * shifted, t != 0.0));
    }
    sums += partial;
  }
  return sums;
}

/// Whether the label is no class: that must not count as a row without loss.
fn isOutside(row: u32) -> bool {
  return !SOFT && u32(targets[row]) >= parameters.classes;
}

fn notANumber(row: u32) -> f32 {
  return bitcast<f32>(u32(targets[row]) | 0x7fc00000u);
}

fn writeClasses(row: u32, highest: f32, sums: Sums, first: u32, stride: u32) {
  let weight = select(sums.y / sums.x, notANumber(row), isOutside(row));
  for (var c = first; c < parameters.classes; c += stride) {
    let gradient = exp(logit(row, c) - highest) * weight - probability(row, c);
    dlogits[row * parameters.classes + c] = gradient * parameters.gradientScale;
  }
}

fn writeRow(row: u32, sums: Sums) {
  rowLoss[row] = select(sums.y * log(sums.x) - sums.z, notANumber(row), isOutside(row));
}
