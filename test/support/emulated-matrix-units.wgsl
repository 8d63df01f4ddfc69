// What shaders/convolution/gpu/matrix-units.wgsl does, in plain WGSL: for adapters without matrix units, to put to the test all that surrounds them.
// Slow, and nothing but a fixture: no program takes it.
//
// As in a real unit a fragment is a copy, spread over the subgroup: lane l has every LANES-th column, beginning with l, of all three
// matrices. A column of the sums then needs its own column of the right factor, and of the left one what other lanes have.
// Constants: those of matrix-units.wgsl, and LANES = subgroup size, of which MATRIX_DEPTH and MATRIX_COLUMNS are multiples.

const DEPTH_SHARE = MATRIX_DEPTH / LANES;
const COLUMN_SHARE = MATRIX_COLUMNS / LANES;

struct Left {
  values: array<f32, MATRIX_ROWS * DEPTH_SHARE>,
}

struct Right {
  values: array<f32, MATRIX_DEPTH * COLUMN_SHARE>,
}

struct Sum {
  values: array<f32, MATRIX_ROWS * COLUMN_SHARE>,
}

// The number of an invocation in its subgroup; all are active.
fn ownLane() -> u32 {
  return subgroupExclusiveAdd(1u);
}

// The same number, but one that a compiler cannot know, so that it leaves loops as they are: lavapipe's would unroll them for seconds.
fn opaque(number: u32) -> u32 {
  return number + subgroupAdd(1u) - LANES;
}

fn loadLeft(offset: u32) -> Left {
  var left: Left;
  let lane = ownLane();
  let count = opaque(MATRIX_ROWS * DEPTH_SHARE);
  for (var i = 0u; i < count; i++) {
    let k = lane + i % DEPTH_SHARE * LANES;
    left.values[i] = f32(leftTile[offset + i / DEPTH_SHARE * LEFT_STRIDE + k / 4u][k % 4u]);
  }
  return left;
}

fn loadRight(offset: u32) -> Right {
  var right: Right;
  let lane = ownLane();
  let count = opaque(MATRIX_DEPTH * COLUMN_SHARE);
  for (var i = 0u; i < count; i++) {
    let k = i / COLUMN_SHARE;
    let column = lane + i % COLUMN_SHARE * LANES;
    let major = select(k, column, RIGHT_TRANSPOSED);
    let minor = select(column, k, RIGHT_TRANSPOSED);
    right.values[i] = f32(rightTile[offset + major * RIGHT_STRIDE + minor / 4u][minor % 4u]);
  }
  return right;
}

fn multiplyAdd(left: Left, right: Right, sum: Sum) -> Sum {
  var result = sum;
  let depth = opaque(MATRIX_DEPTH);
  let count = opaque(MATRIX_ROWS * COLUMN_SHARE);
  for (var i = 0u; i < count; i++) {
    let row = i / COLUMN_SHARE;
    var total = result.values[i];
    for (var k = 0u; k < depth; k++) {
      let factor = subgroupShuffle(left.values[row * DEPTH_SHARE + k / LANES], k % LANES);
      total = fma(factor, right.values[k * COLUMN_SHARE + i % COLUMN_SHARE], total);
    }
    result.values[i] = total;
  }
  return result;
}

fn storeSum(offset: u32, sum: Sum) {
  let lane = ownLane();
  let count = opaque(MATRIX_ROWS * COLUMN_SHARE);
  for (var i = 0u; i < count; i++) {
    let column = lane + i % COLUMN_SHARE * LANES;
    sumTile[offset + (i / COLUMN_SHARE * MATRIX_COLUMNS + column) / 4u][column % 4u] = sum.values[i];
  }
}
