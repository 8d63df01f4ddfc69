// softmax(logits / temperature) and its entropy.
//
// With z = logits[i] / temperature, m = max z, e_c = exp(z_c - m), s = sum of e:
//   probabilities[i, c] = e_c / s
//   entropy[i]          = - sum p log p = log s - (sum of e_c (z_c - m)) / s
// Subtracting m keeps every exponential in (0, 1]: large logits neither overflow nor give 0 / 0.
//
// logits, probabilities   [rows, classes] f32
// entropy                 [rows] f32
// Entry points: rowPerWorkgroup, for GPUs: the lanes of a workgroup share a row; dispatch foldGrid(rows).
//   rowPerInvocation, where barriers are dear: dispatch foldGrid(ceil(rows / WORKGROUP_SIZE)).
// Constants: WORKGROUP_SIZE (a power of two).

struct Parameters {
  rows: u32,
  classes: u32,
  inverseTemperature: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(3) var<storage, read_write> entropy: array<f32>;

const LOWEST = -3.4028234e38;

fn logit(row: u32, class_: u32) -> f32 {
  return logits[row * parameters.classes + class_] * parameters.inverseTemperature;
}

/// Over some classes of a row: the sum of exponentials, and that of exponentials times shifted logits.
fn sumsOf(row: u32, highest: f32, first: u32, stride: u32) -> vec2f {
  var sums = vec2f();
  for (var c = first; c < parameters.classes; c += stride) {
    let shifted = logit(row, c) - highest;
    sums += exp(shifted) * vec2f(1.0, shifted);
  }
  return sums;
}

fn writeRow(row: u32, highest: f32, sum: f32, first: u32, stride: u32) {
  for (var c = first; c < parameters.classes; c += stride) {
    probabilities[row * parameters.classes + c] = exp(logit(row, c) - highest) / sum;
  }
}

var<workgroup> highestOfLanes: array<f32, WORKGROUP_SIZE>;
var<workgroup> sumsOfLanes: array<vec2f, WORKGROUP_SIZE>;

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
  writeRow(row, highest, sums.x, lane, WORKGROUP_SIZE);
  if (lane == 0) {
    entropy[row] = log(sums.x) - sums.y / sums.x;
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
  writeRow(row, highest, sums.x, 0, 1);
  entropy[row] = log(sums.x) - sums.y / sums.x;
}
