// First dispatch of LARS (You, Gitman and Ginsburg 2017): the sums of squares of the weights and of the gradients, for each segment.
//
// weights, gradients   [count] vec4f
// segments        see tensor-norms.wgsl
// groupSettings   [groups] vec4f: learning-rate multiplier, weight decay, factor of the gradients, 0
// norms           [segments] vec2f, written
// Dispatch: foldGrid(segments), a workgroup for each. Library: tensor-norms. Constants: WORKGROUP_SIZE.

struct Parameters {
  segments: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> segments: array<Segment>;
@group(0) @binding(4) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> norms: array<vec2f>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let index = id.x + id.y * grid.x;
  if (index >= parameters.segments) {
    return;
  }
  let segment = segments[index];
  let factor = groupSettings[segment.group].z;
  var squares = vec2f();
  for (var i = segment.firstBlock * VECTORS_IN_A_BLOCK + invocation; i < segment.endBlock * VECTORS_IN_A_BLOCK; i += WORKGROUP_SIZE) {
    let w = weights[i];
    let g = gradients[i] * factor;
    squares += vec2f(dot(w, w), dot(g, g));
  }
  let sum = sumOfWorkgroup(squares, invocation);
  if (invocation == 0) {
    norms[index] = sum;
  }
}
