// y = x transposed: y[c, r] = x[r, c].
//
// x [rows, columns] f32, y [columns, rows] f32
// Neighboring invocations write neighboring words of y. For matrices of a head, which are small; nothing is gained by tiles.
// Dispatch: foldGrid(ceil(rows * columns / WORKGROUP_SIZE)); one invocation an element of y. With slices, y is that of the
// columns from firstColumn on. Constants: WORKGROUP_SIZE.

struct Parameters {
  rows: u32,
  columns: u32,
  firstColumn: u32,
  count: u32, // elements of y
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i >= parameters.count) {
    return;
  }
  let column = parameters.firstColumn + i / parameters.rows;
  y[i] = x[(i % parameters.rows) * parameters.columns + column];
}
