// y = x where x is not negative, otherwise 0, element by element.
//
// x, y   [count] Stored
// Dispatch: foldGrid(ceil(count / WORKGROUP_SIZE)); one invocation an element.
// Constants: Element (vec4f, or f32 where the length is no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.count) {
    // Not max(): that may swallow a NaN, which the training loop must get to see.
    let value = Element(x[i]);
    y[i] = Stored(select(value, Element(), value < Element()));
  }
}
