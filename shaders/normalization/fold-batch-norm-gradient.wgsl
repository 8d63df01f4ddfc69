// The gradient of fold-batch-norm.wgsl for gamma and beta; the statistics are constants. With
// scale = gamma * r, shift = beta - runningMean * gamma * r and r = 1 / sqrt(runningVariance + epsilon):
//
//   dgamma = (dscale - runningMean * dshift) * r,   dbeta = dshift
//
// dscale, dshift, runningMean, runningVariance, dgamma, dbeta   [channels] f32
// Dispatch: foldGrid(ceil(channels / WORKGROUP_SIZE)); one invocation a channel.
// Constants: WORKGROUP_SIZE.

struct Parameters {
  channels: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> dscale: array<f32>;
@group(0) @binding(2) var<storage, read_write> dshift: array<f32>;
@group(0) @binding(3) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(4) var<storage, read_write> runningVariance: array<f32>;
@group(0) @binding(5) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(6) var<storage, read_write> dbeta: array<f32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let channel = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (channel < parameters.channels) {
    let inverseDeviation = inverseSqrt(runningVariance[channel] + parameters.epsilon);
    dgamma[channel] = (dscale[channel] - runningMean[channel] * dshift[channel]) * inverseDeviation;
    dbeta[channel] = dshift[channel];
  }
}
