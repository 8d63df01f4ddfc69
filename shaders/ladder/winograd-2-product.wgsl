// product[b, r, c] = sum over k of left[b, r, k] * right[b, k, c]: the middle of Winograd's convolution, between the shipped transforms.
//
// Rung 2: every source and every weight is transformed once and written down, so that what is left is a batch of matrix products. Here they
// are computed as the definition reads, one invocation a result: two loads for a multiply-add.
//
// left [batch, rows, depth]   right [batch, depth, columns]   product [batch, rows, columns]
// Dispatch: [ceil(rows * columns / 64), 1, batch], the first folded over x and y.

struct Parameters {
  rows: u32,
  depth: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> left: array<f32>;
@group(0) @binding(2) var<storage, read_write> right: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let place = (group.x + group.y * grid.x) * 64u + invocation;
  if (place >= p.rows * p.columns) {
    return;
  }
  let row = (group.z * p.rows + place / p.columns) * p.depth;
  let column = group.z * p.depth * p.columns + place % p.columns;
  var sum = 0.0;
  for (var k = 0u; k < p.depth; k++) {
    sum = fma(left[row + k], right[column + k * p.columns], sum);
  }
  product[group.z * p.rows * p.columns + place] = sum;
}
