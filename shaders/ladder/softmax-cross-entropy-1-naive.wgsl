// loss = mean over rows of -sum over c of t_c log softmax(z)_c, and its gradient (softmax(z) * sum t - t) / (rows * temperature), with
// z = logits / temperature and the target distribution t of the row.
//
// Rung 1: one invocation an output, as the definitions read. `gradient` finds the row's maximum and sum of exponentials anew for each of
// its elements: classes squared exponentials a row. `loss`, one invocation, does so for one row after the other.
//
// logits, dlogits [rows, classes]   targets: labels [rows] u32, or with SOFT distributions [rows, classes] f32   loss [1]
// Dispatch: gradient foldGrid(ceil(rows * classes / 64)); loss [1].
// Constants: Target (u32, or f32 with SOFT), SOFT.

struct Parameters {
  rows: u32,
  classes: u32,
  inverseTemperature: f32,
  gradientScale: f32, // 1 / (rows * temperature)
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> targets: array<Target>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(3) var<storage, read_write> meanLoss: array<f32, 1>;

fn logit(row: u32, class_: u32) -> f32 {
  return logits[row * parameters.classes + class_] * parameters.inverseTemperature;
}

fn probability(row: u32, class_: u32) -> f32 {
  if (SOFT) {
    return f32(targets[row * parameters.classes + class_]);
  }
  return select(0.0, 1.0, u32(targets[row]) == class_);
}

fn highest(row: u32) -> f32 {
  var result = logit(row, 0u);
  for (var c = 1u; c < parameters.classes; c++) {
    result = max(result, logit(row, c));
  }
  return result;
}

@compute @workgroup_size(64)
fn gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i >= parameters.rows * parameters.classes) {
    return;
  }
  let row = i / parameters.classes;
  let class_ = i % parameters.classes;
  let most = highest(row);
  var exponentials = 0.0;
  var weight = 0.0;
  for (var c = 0u; c < parameters.classes; c++) {
    exponentials += exp(logit(row, c) - most);
    weight += probability(row, c);
  }
  dlogits[i] = (exp(logit(row, class_) - most) / exponentials * weight - probability(row, class_)) * parameters.gradientScale;
}

@compute @workgroup_size(1)
fn loss() {
  var total = 0.0;
  for (var row = 0u; row < parameters.rows; row++) {
    let most = highest(row);
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
    total += weight * log(exponentials) - agreement;
  }
  meanLoss[0] = total / f32(parameters.rows);
}
