// destination[destinationOffset + i] = source[sourceOffset + i] for i < count; the rest of destination stays.
//
// source, destination   Element; count and both offsets in Elements
// Dispatch: foldGrid(ceil(count / WORKGROUP_SIZE)); one invocation an element.
// Constants: Element (vec4f where count and both offsets are multiples of four floats, else f32; the same of f16 and u32), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  sourceOffset: u32,
  destinationOffset: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> destination: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.count) {
    destination[parameters.destinationOffset + i] = source[parameters.sourceOffset + i];
  }
}
