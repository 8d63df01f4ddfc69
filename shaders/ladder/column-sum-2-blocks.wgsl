// The column sums of column-sum-1-naive.wgsl, block by block: sums[b, c] = sum of x[r, c] over the rows r of block b. Run again over
// the sums, with all of them in one block, it gives the whole.
//
// Rung 2: one invocation a column and a block, so that tall matrices have many. Loads are single numbers.
//
// x [rows, columns]   sums [ceil(rows / rowsPerBlock), columns]
// Dispatch: [ceil(columns / 64), blocks].

struct Parameters {
  rows: u32,
  columns: u32,
  rowsPerBlock: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = group.x * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  let first = group.y * parameters.rowsPerBlock;
  let end = min(first + parameters.rowsPerBlock, parameters.rows);
  var sum = 0.0;
  for (var row = first; row < end; row++) {
    sum += x[row * parameters.columns + column];
  }
  sums[group.y * parameters.columns + column] = sum;
}
