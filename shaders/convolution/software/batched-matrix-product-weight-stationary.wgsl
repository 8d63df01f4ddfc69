// Matrix products of a batch, with a block of the right matrix held still by each workgroup.
//
//   product[b, r, c] = sum over k of  left[b, r, k] * right[b, k, c]
//
// Made for processors that execute a subgroup as one vector, like convolution-weight-stationary.wgsl: a workgroup is one subgroup,
// keeps DEPTH x BLOCK numbers of the right matrix on its stack and streams rows of the left one past them; each load of 4 * LANES
// consecutive numbers of a row is shared by broadcasts. docs/kernels/convolution/weight-stationary.md tells how lavapipe's compiler
// takes this structure: all loads first, one straight line of arithmetic, sums through memory, whole vectors.
//
// left     [batch, rows, depth] f32, depth a multiple of DEPTH
// right    [batch, columns / BLOCK, depth, BLOCK] f32 with BLOCK = 4 * LANES, twice as much where WIDE: what a workgroup reads
//          lies together
// product  [batch, rows, columns] f32
// Dispatch: [ceil(rows / rowsPerGroup), columns / BLOCK, batch].
// Constants: LANES = subgroup size (4 or 8); DEPTH, a multiple of 4 * LANES up to 64; WIDE: a lane has two vectors of columns.

struct Parameters {
  rows: u32,
  depth: u32,
  columns: u32,
  rowsPerGroup: u32,
  // DEPTH once more, hidden from the compiler so that it leaves the loop that fills the block a loop.
  blockDepth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> left: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> right: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4f>;

// The block, in rows of two vectors: where WIDE, row k holds those that meet element k of a K-tile, of the first half of the
// columns in `low` and the second in `high`; else those of elements 2k and 2k + 1. The row behind the last is for the sums of a
// row of the product: passed through memory, they are complete before the first store.
const ROWS = select(DEPTH / 2u, DEPTH, WIDE);
var<private> low: array<vec4f, ROWS + 1u>;
var<private> high: array<vec4f, ROWS + 1u>;
var<private> lowSum: vec4f;
var<private> highSum: vec4f;
// Sums of the finished quarters of a K-tile: one sum of 64 products would have twice the error of four sums of 16.
var<private> lowTotal: vec4f;
var<private> highTotal: vec4f;

fn multiplyAdd(lowValue: f32, highValue: f32, row: u32) {
  lowSum = fma(vec4f(lowValue), low[row], lowSum);
  highSum = fma(vec4f(highValue), high[row], highSum);
}

// The products of four elements of a K-tile, from `element` on.
fn multiplyAddVector(values: vec4f, element: u32) {
  if (WIDE) {
    multiplyAdd(values.x, values.x, element);
    multiplyAdd(values.y, values.y, element + 1u);
    multiplyAdd(values.z, values.z, element + 2u);
    multiplyAdd(values.w, values.w, element + 3u);
  } else {
    multiplyAdd(values.x, values.y, element / 2u);
    multiplyAdd(values.z, values.w, element / 2u + 1u);
  }
}

const LOADS = DEPTH / 4u / LANES;
// This lane's share of a K-tile of a row. All are loaded before the first is used: a load ends a basic block.
var<private> values: array<vec4f, LOADS>;
var<private> leftPlace: u32;

fn load(i: u32) {
  if (i < LOADS) {
    values[i] = left[leftPlace + i * LANES];
  }
}

fn accumulateQuarter() {
  lowTotal += lowSum;
  highTotal += highSum;
  lowSum = vec4f();
  highSum = vec4f();
}

fn accumulate(i: u32) {
  if (i < LOADS) {
    let value = values[i];
    let element = i * 4u * LANES;
    multiplyAddVector(subgroupBroadcast(value, 0u), element);
    multiplyAddVector(subgroupBroadcast(value, 1u), element + 4u);
    multiplyAddVector(subgroupBroadcast(value, 2u), element + 8u);
    multiplyAddVector(subgroupBroadcast(value, 3u), element + 12u);
    accumulateQuarter();
    if (LANES > 4u) {
      let second = min(element + 16u, DEPTH - 16u);
      multiplyAddVector(subgroupBroadcast(value, 4u), second);
      multiplyAddVector(subgroupBroadcast(value, 5u), second + 4u);
      multiplyAddVector(subgroupBroadcast(value, 6u), second + 8u);
      multiplyAddVector(subgroupBroadcast(value, 7u), second + 12u);
      accumulateQuarter();
    }
  }
}

// Adds a sum to what earlier K-tiles have left.
fn store(sum: vec4f, place: u32, isFirst: bool) {
  var value = sum;
  if (!isFirst) {
    value += product[place];
  }
  product[place] = value;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  const BLOCK = select(LANES, 2u * LANES, WIDE);
  let p = parameters;
  // Depth and columns count vectors.
  let depth = p.depth / 4u;
  let columns = p.columns / 4u;
  let firstRow = group.x * p.rowsPerGroup;
  let lastRow = min(firstRow + p.rowsPerGroup, p.rows);

  for (var start = 0u; start < p.depth; start += DEPTH) {
    var rightPlace = group.z * p.depth * columns + (group.y * p.depth + start) * BLOCK + lane;
    for (var row = 0u; row < p.blockDepth / (DEPTH / ROWS); row++) {
      // Both loads before the first write.
      let lowRow = right[rightPlace];
      let highRow = right[rightPlace + LANES];
      low[row] = lowRow;
      high[row] = highRow;
      rightPlace += 2u * LANES;
    }

    for (var row = firstRow; row < lastRow; row++) {
      leftPlace = (group.z * p.rows + row) * depth + start / 4u + lane;
      load(0u);
      load(1u);
      load(2u);
      load(3u);
      lowSum = vec4f();
      highSum = vec4f();
      lowTotal = vec4f();
      highTotal = vec4f();
      accumulate(0u);
      accumulate(1u);
      accumulate(2u);
      accumulate(3u);
      low[ROWS] = select(lowTotal + highTotal, lowTotal, WIDE);
      high[ROWS] = highTotal;

      let place = (group.z * p.rows + row) * columns + group.y * BLOCK + lane;
      store(low[ROWS], place, start == 0u);
      if (WIDE) {
        store(high[ROWS], place + LANES, start == 0u);
      }
    }
  }
}
