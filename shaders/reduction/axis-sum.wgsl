// One level of a sum along an axis: sums[o, b, i] = sum of x[o, r, i] over the rows r of block b.
//
// x      [outer, rows, columns] Element
// sums   [outer, blocks, columns] Element
// Dispatch: foldGrid(ceil(count / WORKGROUP_SIZE)); an invocation adds the rows of one column of one block. The host repeats it
//   over the sums until one block is left.
// Constants: Element (vec4f, or f32 where the innermost axis is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32, // sums
  rows: u32,
  columns: u32,
  rowsPerBlock: u32,
  blocks: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> sums: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i >= parameters.count) {
    return;
  }
  let column = i % parameters.columns;
  let block = i / parameters.columns % parameters.blocks;
  let outer = i / parameters.columns / parameters.blocks;
  let first = block * parameters.rowsPerBlock;
  let end = min(first + parameters.rowsPerBlock, parameters.rows);
  var sum = Element();
  for (var row = first; row < end; row++) {
    sum += x[(outer * parameters.rows + row) * parameters.columns + column];
  }
  sums[i] = sum;
}
