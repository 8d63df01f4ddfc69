// product = a * b, element by element.
//
// a, b, product   [count] Element
// Dispatch: foldGrid(ceil(count / span)); a workgroup multiplies `span` elements, its invocations one vector after the other.
// Constants: Element (vec4f, or f32 where the length is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  span: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> a: array<Element>;
@group(0) @binding(2) var<storage, read_write> b: array<Element>;
@group(0) @binding(3) var<storage, read_write> product: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    product[i] = a[i] * b[i];
  }
}
