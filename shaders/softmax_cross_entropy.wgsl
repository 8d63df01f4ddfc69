// Cross-entropy of softmax(logits / temperature), fused with its gradient.
//
// With z = logits[i] / temperature, m = max z, s = sum over c of exp(z_c - m), and the target distribution t:
//   rowLoss[i]    = (sum t_c) log s - sum t_c (z_c - m)
//   dlogits[i, c] = (exp(z_c - m) / s * (sum t_c) - t_c) / (rows * temperature)
// so that the mean of rowLoss is the loss, and dlogits its gradient. Subtracting m keeps every exponential in (0, 1]: large
// logits neither overflow nor give 0 / 0.
//
// logits, dlogits   [rows, classes] f32
// targets           labels [rows] u32, each below classes (the distribution is 1 there); or with SOFT [rows, classes] f32
// rowLoss           [rows] f32
// Entry points: rowPerWorkgroup, for GPUs: the lanes of a workgroup share a row; dispatch foldGrid(rows).
//   rowPerInvocation, where barriers are dear: dispatch foldGrid(ceil(rows / WORKGROUP_SIZE)).
// Constants: Target (u32, or f32 with SOFT), SOFT, WORKGROUP_SIZE (a power of two).

struct Parameters {
  rows: u32,
  classes: u32,
  inverseTemperature: f32,
  gradientScale: f32, // 1 / (rows * temperature)
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> targets: array<Target>;
@group(0) @binding(3) var<storage, read_write> rowLoss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

const LOWEST = -3.4028234e38;

fn logit(row: u32, class_: u32) -> f32 {
  return logits[row * parameters.classes + class_] * parameters.inverseTemperature;
}

fn probability(row: u32, class_: u32) -> f32 {
  if (SOFT) {
    return f32(targets[row * parameters.classes + class_]);
  }
  return select(0.0, 1.0, u32(targets[row]) == class_);
}

/// Sums over some classes of a row: exponentials, targets, and targets times the shifted logits.
fn sumsOf(row: u32, highest: f32, first: u32, stride: u32) -> vec3f {
  var sums = vec3f();
  for (var c = first; c < parameters.classes; c += stride) {
    let shifted = logit(row, c) - highest;
    let t = probability(row, c);
    // Without the test, a class that the target excludes could bring 0 * -inf.
    sums += vec3f(exp(shifted), t, select(0.0, t * shifted, t != 0.0));
  }
  return sums;
}

fn writeGradient(row: u32, highest: f32, sums: vec3f, first: u32, stride: u32) {
  let weight = sums.y / sums.x;
  for (var c = first; c < parameters.classes; c += stride) {
    let gradient = exp(logit(row, c) - highest) * weight - probability(row, c);
    dlogits[row * parameters.classes + c] = gradient * parameters.gradientScale;
  }
}

fn lossOf(sums: vec3f) -> f32 {
  return sums.y * log(sums.x) - sums.z;
}

var<workgroup> highestOfLanes: array<f32, WORKGROUP_SIZE>;
var<workgroup> sumsOfLanes: array<vec3f, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn rowPerWorkgroup(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  // A folded grid may have workgroups beyond the last row: they repeat it, since a barrier suffers no early return.
  let row = min(id.x + id.y * grid.x, parameters.rows - 1);
  var highest = LOWEST;
  for (var c = lane; c < parameters.classes; c += WORKGROUP_SIZE) {
    highest = max(highest, logit(row, c));
  }
  highestOfLanes[lane] = highest;
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (lane < width) {
      highestOfLanes[lane] = max(highestOfLanes[lane], highestOfLanes[lane + width]);
    }
  }
  workgroupBarrier();
  highest = highestOfLanes[0];

  sumsOfLanes[lane] = sumsOf(row, highest, lane, WORKGROUP_SIZE);
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (lane < width) {
      sumsOfLanes[lane] += sumsOfLanes[lane + width];
    }
  }
  workgroupBarrier();
  let sums = sumsOfLanes[0];

  writeGradient(row, highest, sums, lane, WORKGROUP_SIZE);
  if (lane == 0) {
    rowLoss[row] = lossOf(sums);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn rowPerInvocation(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = (id.x + id.y * grid.x) * WORKGROUP_SIZE + lane;
  if (row >= parameters.rows) {
    return;
  }
  var highest = LOWEST;
  for (var c = 0u; c < parameters.classes; c++) {
    highest = max(highest, logit(row, c));
  }
  let sums = sumsOf(row, highest, 0, 1);
  writeGradient(row, highest, sums, 0, 1);
  rowLoss[row] = lossOf(sums);
}
