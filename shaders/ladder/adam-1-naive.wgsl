// One step of Adam, or with DECOUPLED of AdamW, as shaders/optimizer/adam.wgsl defines it; operands are the same.
//
// Rung 1: one invocation a parameter, numbers one at a time. Each reads the settings of its group for itself.
//
// parameters, gradients, firstMoment, secondMoment [count]   group [count / 64]   groupSettings [groups, 4]   hyper [8]   gate [2]
// Dispatch: foldGrid(ceil(count / 64)).
// Constants: DECOUPLED.

struct Parameters {
  count: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> firstMoment: array<f32>;
@group(0) @binding(4) var<storage, read_write> secondMoment: array<f32>;
@group(0) @binding(5) var<storage, read_write> group: array<u32>;
@group(0) @binding(6) var<storage, read_write> groupSettings: array<f32>;
@group(0) @binding(7) var<storage, read_write> hyper: array<f32, 8>;
@group(0) @binding(8) var<storage, read_write> gate: array<u32, 2>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (id.x + id.y * grid.x) * 64u + invocation;
  if (i >= parameters.count || gate[0] > 0) {
    return;
  }
  let settings = 4u * group[i / 64u];
  let learningRate = hyper[0] * groupSettings[settings];
  let decay = groupSettings[settings + 1u];
  var p = weights[i];
  var g = gradients[i] * groupSettings[settings + 2u];
  if (DECOUPLED) {
    p -= learningRate * decay * p;
  } else {
    g += decay * p;
  }
  let m = firstMoment[i] + hyper[6] * (g - firstMoment[i]);
  let v = hyper[2] * secondMoment[i] + hyper[7] * (g * g);
  firstMoment[i] = m;
  secondMoment[i] = v;
  weights[i] = p - learningRate / hyper[4] * (m / (sqrt(v) / sqrt(hyper[5]) + hyper[3]));
}
