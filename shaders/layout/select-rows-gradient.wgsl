// The gradient of select_rows by its table, gathered: dtable[t] = sum over i with indices[i] == t of drows[i], in the
// order of i. A row that is never selected gets 0. An index outside the table is ignored.
//
//   clear    heads[t] = NONE
//   link     the selections of each row as a list: heads[t] is the first of them, next[i] the one after i. One invocation follows the
//            indices from the last to the first, so that the work grows as their number, and the order is always the same
//   gather   each element of dtable follows the list of its row
//
// indices   [count] u32;  heads [tableRows] u32;  next [count] u32
// drows     [count, width] Element
// dtable    [tableRows, width] Element
// Dispatch: clear, foldGrid(ceil(tableRows / WORKGROUP_SIZE)); link, one workgroup; gather, foldGrid(ceil(tableRows * width /
//   WORKGROUP_SIZE)), one invocation an element of dtable.
// Constants: Element (vec4f, or f32 where a row's length is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  width: u32, // in Elements
  tableRows: u32, // of this slice; of the whole table for link
}

@group(0) @binding(0) var<uniform> parameters: Parameters;

@group(0) @binding(1) var<storage, read_write> heads: array<u32>;
@group(0) @binding(2) var<storage, read_write> next: array<u32>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;

@group(0) @binding(3) var<storage, read_write> drows: array<Element>;
@group(0) @binding(4) var<storage, read_write> dtable: array<Element>;

const NONE = 0xffffffffu;

@compute @workgroup_size(WORKGROUP_SIZE)
fn clear(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let row = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (row < parameters.tableRows) {
    heads[row] = NONE;
  }
}

@compute @workgroup_size(1)
fn link() {
  for (var left = parameters.count; left > 0u; left--) {
    let selected = left - 1u;
    let row = indices[selected];
    if (row < parameters.tableRows) {
      next[selected] = heads[row];
      heads[row] = selected;
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i >= parameters.tableRows * parameters.width) {
    return;
  }
  let row = i / parameters.width;
  let column = i % parameters.width;
  var sum = Element();
  for (var selected = heads[row]; selected != NONE; selected = next[selected]) {
    sum += drows[selected * parameters.width + column];
  }
  dtable[i] = sum;
}
