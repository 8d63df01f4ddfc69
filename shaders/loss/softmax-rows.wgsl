// How softmax and its cross-entropy share out the rows of their logits, and the passes over a row.
//
// A library, no shader: put before softmax.wgsl and softmax-cross-entropy.wgsl, which say what is summed and written.
// With z = logits[i] / temperature and m = max z, every exponential is one of z_c - m, in (0, 1]: large logits neither overflow nor give 0 / 0.
//
// What the shader has:
//   parameters.rows, .classes, .inverseTemperature, .block; logits [rows, classes] f32
//   Sums                                     a vector of f32; x is the sum of exponentials
//   sumsOf(row, m, first, stride) -> Sums    over classes first, first + stride, ... of a row
//   writeClasses(row, m, sums, first, stride)   for the same classes, from the sums over all
//   writeRow(row, sums)                      once a row
// Entry points: rowPerWorkgroup, for GPUs: the invocations of a workgroup share a row; dispatch foldGrid(rows).
//   rowPerInvocation, where barriers are dear: dispatch foldGrid(ceil(rows / WORKGROUP_SIZE)).
// Constants: WORKGROUP_SIZE (a power of two).

const LOWEST = -3.4028234e38;

fn logit(row: u32, class_: u32) -> f32 {
  return logits[row * parameters.classes + class_] * parameters.inverseTemperature;
}

fn highestOf(row: u32, first: u32, stride: u32) -> f32 {
  var highest = LOWEST;
  for (var c = first; c < parameters.classes; c += stride) {
    highest = max(highest, logit(row, c));
  }
  return highest;
}

/// NaN in place of sums that are none: where a logit is NaN or +Infinity, or all are -Infinity. Drivers differ in what they make exp() of
/// these. The greatest logit alone adds 1. By bits: a compiler may assume that no value is NaN.
fn checked(sums: Sums) -> Sums {
  let bits = bitcast<u32>(sums.x);
  let isSum = bits >= 0x3f000000u && bits < 0x7f800000u;
  return select(Sums(bitcast<f32>(bits | 0x7fc00000u)), sums, isSum);
}

var<workgroup> highestOfInvocations: array<f32, WORKGROUP_SIZE>;
var<workgroup> sumsOfInvocations: array<Sums, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn rowPerWorkgroup(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  // A folded grid may have workgroups beyond the last row: they repeat it, since a barrier suffers no early return.
  let row = min(id.x + id.y * grid.x, parameters.rows - 1);
  highestOfInvocations[invocation] = highestOf(row, invocation, WORKGROUP_SIZE);
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (invocation < width) {
      highestOfInvocations[invocation] = max(highestOfInvocations[invocation], highestOfInvocations[invocation + width]);
    }
  }
  workgroupBarrier();
  let highest = highestOfInvocations[0];

  sumsOfInvocations[invocation] = sumsOf(row, highest, invocation, WORKGROUP_SIZE);
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (invocation < width) {
      sumsOfInvocations[invocation] += sumsOfInvocations[invocation + width];
    }
  }
  workgroupBarrier();
  let sums = checked(sumsOfInvocations[0]);
  writeClasses(row, highest, sums, invocation, WORKGROUP_SIZE);
  if (invocation == 0) {
    writeRow(row, sums);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn rowPerInvocation(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let row = (id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (row >= parameters.rows) {
    return;
  }
  let highest = highestOf(row, 0, 1);
  let sums = checked(sumsOf(row, highest, 0, 1));
  writeClasses(row, highest, sums, 0, 1);
  writeRow(row, sums);
}
