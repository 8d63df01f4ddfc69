// First dispatch of LAMB (You et al., ICLR 2020): the moments of Adam, over a flat arena.
//   g = factor * gradient
//   m = m + (1 - beta1) * (g - m)
//   v = beta2 * v + (1 - beta2) * g^2
//
// gradients, firstMoment, secondMoment   [count] vec4f
// segments        see tensor-norms.wgsl
// groupSettings   [groups] vec4f: learning-rate multiplier, weight decay, factor of the gradients, 0
// hyper           [8] f32: as in adam.wgsl
// gate            [2] u32: nothing changes where gate[0] > 0
// Dispatch: foldGrid(segments), a workgroup for each. Library: tensor-norms. Constants: WORKGROUP_SIZE.

struct Parameters {
  segments: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> firstMoment: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> secondMoment: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> segments: array<Segment>;
@group(0) @binding(5) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> hyper: array<vec4f, 2>;
@group(0) @binding(7) var<storage, read_write> gate: array<u32, 2>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let index = id.x + id.y * grid.x;
  if (index >= parameters.segments || gate[0] > 0) {
    return;
  }
  let segment = segments[index];
  let factor = groupSettings[segment.group].z;
  let beta2 = hyper[0].z;
  let corrections = hyper[1];
  for (var i = segment.firstBlock * VECTORS_IN_A_BLOCK + invocation; i < segment.endBlock * VECTORS_IN_A_BLOCK; i += WORKGROUP_SIZE) {
    let g = gradients[i] * factor;
    let previous = firstMoment[i];
    firstMoment[i] = previous + corrections.z * (g - previous);
    secondMoment[i] = beta2 * secondMoment[i] + corrections.w * (g * g);
  }
}
