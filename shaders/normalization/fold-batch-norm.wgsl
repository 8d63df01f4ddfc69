// Batch normalization with fixed statistics as one multiplication and one addition a channel:
//
//   scale = gamma / sqrt(runningVariance + epsilon),   shift = beta - runningMean * scale
//
// gamma, beta, runningMean, runningVariance, scale, shift   [channels] f32
// Dispatch: foldGrid(ceil(channels / WORKGROUP_SIZE)); one invocation a channel.
// Constants: WORKGROUP_SIZE.

struct Parameters {
  channels: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> gamma: array<f32>;
@group(0) @binding(2) var<storage, read_write> beta: array<f32>;
@group(0) @binding(3) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(4) var<storage, read_write> runningVariance: array<f32>;
@group(0) @binding(5) var<storage, read_write> scale: array<f32>;
@group(0) @binding(6) var<storage, read_write> shift: array<f32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let channel = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (channel < parameters.channels) {
    let factor = gamma[channel] * inverseSqrt(runningVariance[channel] + parameters.epsilon);
    scale[channel] = factor;
    shift[channel] = beta[channel] - runningMean[channel] * factor;
  }
}
