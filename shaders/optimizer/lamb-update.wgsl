// Third dispatch of LAMB: w = w - lr * (|w| / |u|) * u for each tensor, u being the direction. The ratio is 1 where the tensor is not adapted or
// a norm is 0.
//
// weights, firstMoment, secondMoment   [count] vec4f
// segments, groupSettings, hyper, gate as in lamb-moments.wgsl
// norms           [segments] vec2f, of lamb-norms.wgsl
// Dispatch: foldGrid(segments), a workgroup for each. Libraries: tensor-norms, lamb-direction. Constants: WORKGROUP_SIZE.

struct Parameters {
  segments: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> firstMoment: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> secondMoment: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> segments: array<Segment>;
@group(0) @binding(5) var<storage, read_write> groupSettings: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> hyper: array<vec4f, 2>;
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
  var ratio = 1.0;
  if (segment.adapted == 1u && norm.x > 0 && norm.y > 0) {
    ratio = norm.x / norm.y;
  }
  let settings = groupSettings[segment.group];
  let rate = hyper[0].x * settings.x * ratio;
  for (var i = segment.firstBlock * VECTORS_IN_A_BLOCK + invocation; i < segment.endBlock * VECTORS_IN_A_BLOCK; i += WORKGROUP_SIZE) {
    let w = weights[i];
    weights[i] = w - rate * direction(w, firstMoment[i], secondMoment[i], settings.y, hyper[0], hyper[1]);
  }
}
