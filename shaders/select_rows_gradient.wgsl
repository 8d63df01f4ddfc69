// The gradient of select_rows by its table, gathered: dtable[t] = sum over i with indices[i] == t of drows[i], in the
// order of i. A row that nobody selected gets 0.
//
// indices   [count] u32
// drows     [count, width] Element
// dtable    [tableRows, width] Element, from row firstRow on
// Dispatch: foldGrid(ceil(tableRows * width / WORKGROUP_SIZE)); one invocation an element of dtable.
// Constants: Element (vec4f, or f32 where a row's length is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  width: u32, // in Elements
  tableRows: u32, // of this slice
  firstRow: u32, // the number of its first row
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> drows: array<Element>;
@group(0) @binding(3) var<storage, read_write> dtable: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + lane;
  if (i >= parameters.tableRows * parameters.width) {
    return;
  }
  let row = parameters.firstRow + i / parameters.width;
  let column = i % parameters.width;
  var sum = Element();
  for (var selected = 0u; selected < parameters.count; selected++) {
    if (indices[selected] == row) {
      sum += drows[selected * parameters.width + column];
    }
  }
  dtable[i] = sum;
}
