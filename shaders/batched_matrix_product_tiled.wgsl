// Matrix products of a batch, by tiles in workgroup memory.
//
//   product[b, r, c] = sum over k of  left[b, r, k] * right[b, k, c]
//
// Made for GPUs, like convolution_tiled.wgsl: a workgroup of SIDE x SIDE invocations computes a tile of 4*SIDE rows x 4*SIDE
// columns, 4 x 4 an invocation. The reduction advances by SIDE; both factors' tiles are staged as vectors of four rows and
// of four columns, so that an inner step is two vector reads and sixteen multiply-adds.
//
// left     [batch, rows, depth] f32, depth a multiple of SIDE
// right    [batch, depth, columns] f32, columns a multiple of 4*SIDE
// product  [batch, rows, columns] f32
// Dispatch: [ceil(rows / (4*SIDE)), columns / (4*SIDE), batch].
// Limits: SIDE*SIDE invocations (256 for SIDE 16), 32*SIDE*SIDE bytes of workgroup memory.
// Constants: SIDE 8 or 16.

struct Parameters {
  rows: u32,
  depth: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> left: array<f32>;
@group(0) @binding(2) var<storage, read_write> right: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4f>;

// [depth][group of four rows] and [depth][group of four columns].
var<workgroup> leftTile: array<vec4f, SIDE * SIDE>;
var<workgroup> rightTile: array<vec4f, SIDE * SIDE>;

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let p = parameters;
  let firstRow = group.x * 4u * SIDE + 4u * local.y;
  let column = group.y * SIDE + local.x;
  let vectors = p.columns / 4u;
  // Rows behind the last are read as the last; their sums are not stored.
  let rows = min(vec4u(firstRow) + vec4u(0u, 1u, 2u, 3u), vec4u(p.rows - 1u));
  let leftPlace = (group.z * p.rows + rows) * p.depth + local.x;
  let rightPlace = (group.z * p.depth + local.y) * vectors + column;

  var sums: array<vec4f, 4>;
  for (var start = 0u; start < p.depth; start += SIDE) {
    let place = leftPlace + start;
    let staged = vec4f(left[place.x], left[place.y], left[place.z], left[place.w]);
    let stagedRight = right[rightPlace + start * vectors];
    workgroupBarrier();
    leftTile[local.x * SIDE + local.y] = staged;
    rightTile[local.y * SIDE + local.x] = stagedRight;
    workgroupBarrier();
    for (var k = 0u; k < SIDE; k++) {
      let a = leftTile[k * SIDE + local.y];
      let b = rightTile[k * SIDE + local.x];
      sums[0] = fma(vec4f(a.x), b, sums[0]);
      sums[1] = fma(vec4f(a.y), b, sums[1]);
      sums[2] = fma(vec4f(a.z), b, sums[2]);
      sums[3] = fma(vec4f(a.w), b, sums[3]);
    }
  }
  for (var i = 0u; i < 4u; i++) {
    if (firstRow + i < p.rows) {
      product[(group.z * p.rows + firstRow + i) * vectors + column] = sums[i];
    }
  }
}
