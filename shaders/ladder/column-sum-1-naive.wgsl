// sums[c] = sum over r of x[r, c].
//
// Rung 1: one invocation a column, which iterates over all rows. A layer of 64 channels keeps 64 invocations busy.
//
// x [rows, columns]   sums [columns]
// Dispatch: foldGrid(ceil(columns / 64)).

struct Parameters {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = (group.x + group.y * grid.x) * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  var sum = 0.0;
  for (var row = 0u; row < parameters.rows; row++) {
    sum += x[row * parameters.columns + column];
  }
  sums[column] = sum;
}
