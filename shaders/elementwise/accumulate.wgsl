// total = total + part, element by element, in place: gradients of one micro-batch after the other.
//
// total, part   [count] Element
// Dispatch: foldGrid(ceil(count / span)); a workgroup adds `span` elements, its invocations one vector after the other.
// Constants: Element (vec4f, or f32 where the length is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  span: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> total: array<Element>;
@group(0) @binding(2) var<storage, read_write> partial: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    total[i] += partial[i];
  }
}
