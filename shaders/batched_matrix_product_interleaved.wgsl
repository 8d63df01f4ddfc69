// Matrix products of a batch, with a block of the right matrix held still in each invocation's registers.
//
//   product[b, r, c] = sum over k of  left[b, r, k] * right[b, k, c]
//
// Made for processors that execute a subgroup as one vector, like convolution_stationary.wgsl: a workgroup is one subgroup,
// keeps DEPTH x (LANES * COLUMNS) numbers of the right matrix and streams rows of the left one past them; each load of LANES
// consecutive numbers of a row is shared by broadcasts.
//
// left     [batch, rows, depth] f32, depth a multiple of DEPTH
// right    [batch, columns / BLOCK, depth, BLOCK] f32 with BLOCK = LANES * COLUMNS: what a workgroup reads lies together
// product  [batch, rows, columns] f32
// Dispatch: [ceil(rows / rowsPerGroup), columns / (LANES * COLUMNS), batch].
// Constants: LANES = subgroup size (4 or 8); DEPTH 16, 32 or 64; COLUMNS 2 or 4, Columns = vecCOLUMNSf.

struct Parameters {
  rows: u32,
  depth: u32,
  columns: u32,
  rowsPerGroup: u32,
  // DEPTH once more, hidden from the compiler so that it leaves the loop that fills the block a loop.
  blockDepth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> left: array<f32>;
@group(0) @binding(2) var<storage, read_write> right: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>;

var<private> block: array<Columns, DEPTH>;
// Four running sums a column, so that consecutive multiply-adds do not wait for each other.
var<private> sum0: Columns;
var<private> sum1: Columns;
var<private> sum2: Columns;
var<private> sum3: Columns;

// Adds the products of LANES numbers of a row, one in each lane, with the rows of the block from k on.
fn accumulate(value: f32, k: u32) {
  sum0 = fma(Columns(subgroupBroadcast(value, 0u)), block[k], sum0);
  sum1 = fma(Columns(subgroupBroadcast(value, 1u)), block[k + 1u], sum1);
  sum2 = fma(Columns(subgroupBroadcast(value, 2u)), block[k + 2u], sum2);
  sum3 = fma(Columns(subgroupBroadcast(value, 3u)), block[k + 3u], sum3);
  if (LANES > 4u) {
    sum0 = fma(Columns(subgroupBroadcast(value, 4u)), block[min(k + 4u, DEPTH - 1u)], sum0);
    sum1 = fma(Columns(subgroupBroadcast(value, 5u)), block[min(k + 5u, DEPTH - 1u)], sum1);
    sum2 = fma(Columns(subgroupBroadcast(value, 6u)), block[min(k + 6u, DEPTH - 1u)], sum2);
    sum3 = fma(Columns(subgroupBroadcast(value, 7u)), block[min(k + 7u, DEPTH - 1u)], sum3);
  }
}

var<private> rowPlace: u32;

fn step(k: u32) {
  if (k < DEPTH) {
    accumulate(left[rowPlace + k], k);
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let p = parameters;
  let firstRow = group.x * p.rowsPerGroup;
  let lastRow = min(firstRow + p.rowsPerGroup, p.rows);
  let firstColumn = group.y * LANES * COLUMNS + lane;

  for (var start = 0u; start < p.depth; start += DEPTH) {
    var rightPlace = group.z * p.depth * p.columns + (group.y * p.depth + start) * LANES * COLUMNS + lane;
    for (var k = 0u; k < p.blockDepth; k++) {
      for (var c = 0u; c < COLUMNS; c++) {
        block[k][c] = right[rightPlace + c * LANES];
      }
      rightPlace += LANES * COLUMNS;
    }
    for (var row = firstRow; row < lastRow; row++) {
      rowPlace = (group.z * p.rows + row) * p.depth + start + lane;
      sum0 = Columns();
      sum1 = Columns();
      sum2 = Columns();
      sum3 = Columns();
      step(0u);
      step(LANES);
      step(2u * LANES);
      step(3u * LANES);
      step(4u * LANES);
      step(5u * LANES);
      step(6u * LANES);
      step(7u * LANES);
      step(8u * LANES);
      step(9u * LANES);
      step(10u * LANES);
      step(11u * LANES);
      step(12u * LANES);
      step(13u * LANES);
      step(14u * LANES);
      step(15u * LANES);
      let sum = (sum0 + sum1) + (sum2 + sum3);
      let place = (group.z * p.rows + row) * p.columns + firstColumn;
      for (var c = 0u; c < COLUMNS; c++) {
        var value = sum[c];
        if (start > 0u) {
          value += product[place + c * LANES];
        }
        product[place + c * LANES] = value;
      }
    }
  }
}
