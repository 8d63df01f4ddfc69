// Matrix products of a batch, with a block of the right matrix held still by each workgroup.
//
//   product[b, r, c] = sum over k of  left[b, r, k] * right[b, k, c]
//
// Made for processors that execute a subgroup as one vector, like convolution_stationary.wgsl: a workgroup is one subgroup,
// keeps DEPTH x BLOCK numbers of the right matrix on its stack and streams rows of the left one past them; each load of LANES
// consecutive numbers of a row is shared by broadcasts. docs/kernels/convolution_stationary.md tells how lavapipe's compiler
// takes this structure: all loads first, one straight line of arithmetic, sums through memory, whole vectors.
//
// left     [batch, rows, depth] f32, depth a multiple of DEPTH
// right    [batch, columns / BLOCK, depth, BLOCK] f32 with BLOCK = LANES * columns of a lane: what a workgroup reads lies together
// product  [batch, rows, columns] f32
// Dispatch: [ceil(rows / rowsPerGroup), columns / BLOCK, batch].
// Constants: LANES = subgroup size (4 or 8); DEPTH 16, 32 or 64; Columns = vec4f or vec2f, COLUMNS its size; WIDE: a lane has
//   two of them.

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

// The block, in rows of two vectors: where WIDE, row k holds those that meet element k of a chunk, of the first half of the
// columns in `low` and the second in `high`; else those of elements 2k and 2k + 1. The row behind the last is for the sums of a
// row of the product: passed through memory, they are complete before the first store.
const ROWS = select(DEPTH / 2u, DEPTH, WIDE);
var<private> low: array<Columns, ROWS + 1u>;
var<private> high: array<Columns, ROWS + 1u>;
var<private> lowSum: Columns;
var<private> highSum: Columns;
// Of the finished quarters of a chunk: one sum of 64 products would have twice the error of four sums of 16.
var<private> lowTotal: Columns;
var<private> highTotal: Columns;

fn multiplyAdd(lowValue: f32, highValue: f32, row: u32) {
  lowSum = fma(Columns(lowValue), low[row], lowSum);
  highSum = fma(Columns(highValue), high[row], highSum);
}

const LOADS = DEPTH / LANES;
// This lane's share of a chunk of a row. All are loaded before the first is used: a load ends a basic block.
var<private> values: array<f32, LOADS>;
var<private> leftPlace: u32;

fn load(i: u32) {
  if (i < LOADS) {
    values[i] = left[leftPlace + i * LANES];
  }
}

fn accumulate(i: u32) {
  if (i < LOADS) {
    let value = values[i];
    let value0 = subgroupBroadcast(value, 0u);
    let value1 = subgroupBroadcast(value, 1u);
    let value2 = subgroupBroadcast(value, 2u);
    let value3 = subgroupBroadcast(value, 3u);
    let row = i * (ROWS / LOADS);
    if (i % max(LOADS / 4u, 1u) == 0u) {
      lowTotal += lowSum;
      highTotal += highSum;
      lowSum = Columns();
      highSum = Columns();
    }
    if (WIDE) {
      multiplyAdd(value0, value0, row);
      multiplyAdd(value1, value1, row + 1u);
      multiplyAdd(value2, value2, row + 2u);
      multiplyAdd(value3, value3, row + 3u);
    } else {
      multiplyAdd(value0, value1, row);
      multiplyAdd(value2, value3, row + 1u);
    }
    if (LANES > 4u) {
      let value4 = subgroupBroadcast(value, 4u);
      let value5 = subgroupBroadcast(value, 5u);
      let value6 = subgroupBroadcast(value, 6u);
      let value7 = subgroupBroadcast(value, 7u);
      if (WIDE) {
        multiplyAdd(value4, value4, row + 4u);
        multiplyAdd(value5, value5, row + 5u);
        multiplyAdd(value6, value6, row + 6u);
        multiplyAdd(value7, value7, row + 7u);
      } else {
        multiplyAdd(value4, value5, row + 2u);
        multiplyAdd(value6, value7, row + 3u);
      }
    }
  }
}

// Adds a sum to what earlier chunks have left.
fn store(sum: f32, place: u32, isFirst: bool) {
  var value = sum;
  if (!isFirst) {
    value += product[place];
  }
  product[place] = value;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  const BLOCK = LANES * select(COLUMNS, 2u * COLUMNS, WIDE);
  let p = parameters;
  let firstRow = group.x * p.rowsPerGroup;
  let lastRow = min(firstRow + p.rowsPerGroup, p.rows);

  for (var start = 0u; start < p.depth; start += DEPTH) {
    var rightPlace = group.z * p.depth * p.columns + (group.y * p.depth + start) * BLOCK + lane;
    for (var k = 0u; k < p.blockDepth; k++) {
      var lowRow = Columns();
      var highRow = Columns();
      for (var c = 0u; c < COLUMNS; c++) {
        lowRow[c] = right[rightPlace + c * LANES];
        if (WIDE) {
          highRow[c] = right[rightPlace + (c + COLUMNS) * LANES];
        }
      }
      if (WIDE) {
        low[k] = lowRow;
        high[k] = highRow;
      } else if (k % 2u == 0u) {
        low[k / 2u] = lowRow;
      } else {
        high[k / 2u] = lowRow;
      }
      rightPlace += BLOCK;
    }

    for (var row = firstRow; row < lastRow; row++) {
      leftPlace = (group.z * p.rows + row) * p.depth + start + lane;
      load(0u);
      load(1u);
      load(2u);
      load(3u);
      load(4u);
      load(5u);
      load(6u);
      load(7u);
      load(8u);
      load(9u);
      load(10u);
      load(11u);
      load(12u);
      load(13u);
      load(14u);
      load(15u);
      lowSum = Columns();
      highSum = Columns();
      lowTotal = Columns();
      highTotal = Columns();
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
      lowTotal += lowSum;
      highTotal += highSum;
      low[ROWS] = select(lowTotal + highTotal, lowTotal, WIDE);
      high[ROWS] = highTotal;

      let place = (group.z * p.rows + row) * p.columns + group.y * BLOCK + lane;
      for (var c = 0u; c < COLUMNS; c++) {
        store(low[ROWS][c], place + c * LANES, start == 0u);
        if (WIDE) {
          store(high[ROWS][c], place + (c + COLUMNS) * LANES, start == 0u);
        }
      }
    }
  }
}
