// Second dispatch of LARS, for each tensor with its weight decay wd:
//   ratio = trust * |w| / (|g| + wd * |w| + epsilon), 1 where the tensor is not adapted or a norm is 0
//   v = momentum * v + ratio * (g + wd * w)
//   w = w - lr * v
//
// weights, gradients, velocity   [count] vec4f
// segments, groupSettings, norms as in lars-norms.wgsl
// hyper           [4] f32: learning rate, momentum, trust coefficient, epsilon
// gate            [2] u32: nothing changes where gate[0] > 0
// Dispatch: foldGrid(segments), a workgroup for each. Library: tensor-norms. Constants: WORKGROUP_SIZE.

struct Parameters {
  segments: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> velocity: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> segments: array<Segment>;
@group(0) @binding(5) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> hyper: array<vec4f, 1>;
@group(0) @binding(7) var<storage, read_write> gate: array<u32, 2>;
@group(0) @binding(8) var<storage, read_write> norms: array<vec2f>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let index = id.x + id.y * grid.x;
  if (index >= parameters.segments) {
    return;
  }
  let segment = segments[index];
  var squares = vec2f();
  for (var part = segment.firstSegment + invocation; part < segment.endSegment; part += WORKGROUP_SIZE) {
    squares += norms[part];
  }
  let norm = sqrt(sumOfWorkgroup(squares, invocation));
  if (gate[0] > 0) {
    return;
  }
  let settings = groupSettings[segment.group];
  let rates = hyper[0];
  var ratio = 1.0;
  if (segment.adapted == 1u && norm.x > 0 && norm.y > 0) {
    ratio = rates.z * norm.x / (norm.y + settings.y * norm.x + rates.w);
  }
  for (var i = segment.firstBlock * VECTORS_IN_A_BLOCK + invocation; i < segment.endBlock * VECTORS_IN_A_BLOCK; i += WORKGROUP_SIZE) {
    let w = weights[i];
    let v = rates.y * velocity[i] + ratio * (gradients[i] * settings.z + settings.y * w);
    velocity[i] = v;
    weights[i] = w - rates.x * settings.x * v;
  }
}
