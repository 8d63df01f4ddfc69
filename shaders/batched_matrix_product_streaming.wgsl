// Matrix products of a batch whose left matrices have few rows: sums are held in registers and the right matrix streams past.
//
//   product[b, r, c] = sum over k of  left[b, r, k] * right[b, k, c]
//
// Made for processors that execute a subgroup as one vector. batched_matrix_product_stationary.wgsl first copies a block of
// the right matrix into registers, which few rows do not repay. Here each number of the right matrix is loaded once for
// ROWS rows and used from where it was loaded.
//
// left     [batch, rows, depth] f32, depth a multiple of LANES
// right    [batch, columns / BLOCK, depth, BLOCK] f32 with BLOCK = LANES * COLUMNS: what a workgroup reads lies together
// product  [batch, rows, columns] f32
// Dispatch: [ceil(rows / ROWS), columns / (LANES * COLUMNS), batch].
// Constants: LANES = subgroup size (4 or 8); ROWS, 4, 8 or 16; COLUMNS 2 or 4, Columns = vecCOLUMNSf.

struct Parameters {
  rows: u32,
  depth: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> left: array<f32>;
@group(0) @binding(2) var<storage, read_write> right: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>;

var<private> sums: array<Columns, ROWS>;
// LANES rows of the right matrix.
var<private> right0: Columns;
var<private> right1: Columns;
var<private> right2: Columns;
var<private> right3: Columns;
var<private> right4: Columns;
var<private> right5: Columns;
var<private> right6: Columns;
var<private> right7: Columns;

var<private> rightPlace: u32;

fn loadRight(k: u32) -> Columns {
  var values: Columns;
  for (var c = 0u; c < COLUMNS; c++) {
    values[c] = right[rightPlace + k * LANES * COLUMNS + c * LANES];
  }
  return values;
}

var<private> leftPlace: u32;
var<private> lastRow: u32;

// Adds to row r the products of LANES numbers of its, one in each lane, with the rows of the right matrix.
fn accumulate(r: u32) {
  if (r >= ROWS) {
    return;
  }
  let value = left[leftPlace + min(r, lastRow) * parameters.depth];
  let place = min(r, ROWS - 1u);
  var even = fma(Columns(subgroupBroadcast(value, 0u)), right0, sums[place]);
  var odd = Columns(subgroupBroadcast(value, 1u)) * right1;
  even = fma(Columns(subgroupBroadcast(value, 2u)), right2, even);
  odd = fma(Columns(subgroupBroadcast(value, 3u)), right3, odd);
  if (LANES > 4u) {
    even = fma(Columns(subgroupBroadcast(value, 4u)), right4, even);
    odd = fma(Columns(subgroupBroadcast(value, 5u)), right5, odd);
    even = fma(Columns(subgroupBroadcast(value, 6u)), right6, even);
    odd = fma(Columns(subgroupBroadcast(value, 7u)), right7, odd);
  }
  sums[place] = even + odd;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let p = parameters;
  let firstRow = group.x * ROWS;
  lastRow = min(ROWS, p.rows - firstRow) - 1u;
  let firstColumn = group.y * LANES * COLUMNS + lane;
  leftPlace = (group.z * p.rows + firstRow) * p.depth + lane;
  rightPlace = group.z * p.depth * p.columns + group.y * p.depth * LANES * COLUMNS + lane;

  for (var start = 0u; start < p.depth; start += LANES) {
    right0 = loadRight(0u);
    right1 = loadRight(1u);
    right2 = loadRight(2u);
    right3 = loadRight(3u);
    if (LANES > 4u) {
      right4 = loadRight(4u);
      right5 = loadRight(5u);
      right6 = loadRight(6u);
      right7 = loadRight(7u);
    }
    accumulate(0u);
    accumulate(1u);
    accumulate(2u);
    accumulate(3u);
    accumulate(4u);
    accumulate(5u);
    accumulate(6u);
    accumulate(7u);
    accumulate(8u);
    accumulate(9u);
    accumulate(10u);
    accumulate(11u);
    accumulate(12u);
    accumulate(13u);
    accumulate(14u);
    accumulate(15u);
    leftPlace += LANES;
    rightPlace += LANES * LANES * COLUMNS;
  }
  let place = (group.z * p.rows + firstRow) * p.columns + firstColumn;
  for (var r = 0u; r <= lastRow; r++) {
    for (var c = 0u; c < COLUMNS; c++) {
      product[place + r * p.columns + c * LANES] = sums[r][c];
    }
  }
}
