// Pads the last two axes of a tensor with zeros, or crops them again.
//
//   pad   padded[m, r, c] = tensor[m, r, c] where the tensor has such a row and column, else 0
//   crop  tensor[m, r, c] = padded[m, r, c]
//
// tensor  [matrices, rows, columns] Scalar
// padded  [matrices, paddedRows, paddedColumns] Scalar, paddedColumns the next multiple of four
// Dispatch: x = ceil(paddedColumns / 4 / WIDTH); y and z = foldGrid(ceil(R * WIDTH / 64)), R all rows of what is written. One invocation four columns.
// Constants: Scalar (f32 or f16), WIDTH: invocations of a workgroup along a row.

struct Parameters {
  matrices: u32,
  rows: u32,
  columns: u32,
  paddedRows: u32,
  paddedColumns: u32, // in vectors
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> tensor: array<Scalar>;
@group(0) @binding(2) var<storage, read_write> padded: array<vec4<Scalar>>;

const HEIGHT = 64u / WIDTH;

@compute @workgroup_size(WIDTH, HEIGHT)
fn pad(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_id) invocation: vec3u) {
  let p = parameters;
  let vector = group.x * WIDTH + invocation.x;
  let paddedRow = (group.y + group.z * grid.y) * HEIGHT + invocation.y;
  if (vector >= p.paddedColumns || paddedRow >= p.matrices * p.paddedRows) {
    return;
  }
  var row = paddedRow;
  var isInside = true;
  // Divisions are slow, and most tensors keep their rows.
  if (p.rows != p.paddedRows) {
    let rowOfMatrix = paddedRow % p.paddedRows;
    row = paddedRow / p.paddedRows * p.rows + rowOfMatrix;
    isInside = rowOfMatrix < p.rows;
  }
  let column = 4u * vector + vec4u(0u, 1u, 2u, 3u);
  let inside = vec4<bool>(isInside) & (column < vec4u(p.columns));
  let place = select(vec4u(), row * p.columns + column, inside);
  let values = vec4<Scalar>(tensor[place.x], tensor[place.y], tensor[place.z], tensor[place.w]);
  padded[paddedRow * p.paddedColumns + vector] = select(vec4<Scalar>(), values, inside);
}

@compute @workgroup_size(WIDTH, HEIGHT)
fn crop(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_id) invocation: vec3u) {
  let p = parameters;
  let vector = group.x * WIDTH + invocation.x;
  let row = (group.y + group.z * grid.y) * HEIGHT + invocation.y;
  if (vector >= p.paddedColumns || row >= p.matrices * p.rows) {
    return;
  }
  var paddedRow = row;
  if (p.rows != p.paddedRows) {
    paddedRow = row / p.rows * p.paddedRows + row % p.rows;
  }
  let values = padded[paddedRow * p.paddedColumns + vector];
  let place = row * p.columns + 4u * vector;
  let count = p.columns - 4u * vector;
  tensor[place] = values.x;
  if (count > 1u) {
    tensor[place + 1u] = values.y;
  }
  if (count > 2u) {
    tensor[place + 2u] = values.z;
  }
  if (count > 3u) {
    tensor[place + 3u] = values.w;
  }
}
