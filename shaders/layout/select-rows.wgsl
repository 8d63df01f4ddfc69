// rows[i] = table[indices[i]]; NaN where the index is no row of the table, which is never read outside.
//
// table     [tableRows, width] Element
// indices   [count] u32
// rows      [count, width] Element
// Dispatch: foldGrid(ceil(count * width / WORKGROUP_SIZE)); one invocation an element.
// Constants: Element (vec4f, or f32 where a row's length is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  width: u32, // in Elements
  tableRows: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> table: array<Element>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> rows: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.count * parameters.width) {
    let index = indices[i / parameters.width];
    if (index < parameters.tableRows) {
      rows[i] = table[index * parameters.width + i % parameters.width];
    } else {
      rows[i] = Element(bitcast<f32>(index | 0x7fc00000u));
    }
  }
}
