// The loss and gradient of softmax-cross-entropy-1-naive.wgsl, whose parameters and constants these are.
//
// Rung 2: what the elements of a row share is computed once: `rows`, one invocation a row, finds maximum, sum of exponentials and of targets, and
// the row's loss; `gradient`, one invocation an element, reads them. `mean`, one invocation, adds the losses. Exponentials are
// computed twice, and the logits cross the memory twice.
//
// logits, targets, dlogits, loss as there   rowValues [rows] vec4f: maximum, sum of exponentials, sum of targets, loss
// Dispatch: rows foldGrid(ceil(rows / 64)); gradient foldGrid(ceil(rows * classes / 64)); mean [1].

struct Parameters {
  rows: u32,
  classes: u32,
  inverseTemperature: f32,
  gradientScale: f32, // 1 / (rows * temperature)
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> rowValues: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> meanLoss: array<f32, 1>;
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> targets: array<Target>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

fn logit(row: u32, class_: u32) -> f32 {
  return logits[row * parameters.classes + class_] * parameters.inverseTemperature;
}

fn probability(row: u32, class_: u32) -> f32 {
  if (SOFT) {
    return f32(targets[row * parameters.classes + class_]);
  }
  return select(0.0, 1.0, u32(targets[row]) == class_);
}

@compute @workgroup_size(64)
fn rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let row = (group.x + group.y * grid.x) * 64u + invocation;
  if (row >= parameters.rows) {
    return;
  }
  var most = logit(row, 0u);
  for (var c = 1u; c < parameters.classes; c++) {
    most = max(most, logit(row, c));
  }
  var exponentials = 0.0;
  var weight = 0.0;
  var agreement = 0.0;
  for (var c = 0u; c < parameters.classes; c++) {
    let shifted = logit(row, c) - most;
    let t = probability(row, c);
    exponentials += exp(shifted);
    weight += t;
    agreement += select(0.0, t * shifted, t != 0.0);
  }
  rowValues[row] = vec4f(most, exponentials, weight, weight * log(exponentials) - agreement);
}

@compute @workgroup_size(64)
fn gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i >= parameters.rows * parameters.classes) {
    return;
  }
  let row = i / parameters.classes;
  let class_ = i % parameters.classes;
  let values = rowValues[row];
  dlogits[i] = (exp(logit(row, class_) - values.x) / values.y * values.z - probability(row, class_)) * parameters.gradientScale;
}

@compute @workgroup_size(1)
fn mean() {
  var total = 0.0;
  for (var row = 0u; row < parameters.rows; row++) {
    total += rowValues[row].w;
  }
  meanLoss[0] = total / f32(parameters.rows);
}
