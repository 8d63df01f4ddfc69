// Mean and variance of each column of x, in two passes over blocks of rows (Ioffe and Szegedy 2015, algorithm 1).
//
//   block_statistics   block b of m rows, with K = its first row:
//                      mean_b = K + sum(x - K) / m,   squares_b = sum((x - K)^2) - sum(x - K)^2 / m
//   parts_statistics   the same of x = parts[0] + parts[1] + ..., in this order, which is written as well: the second pass of a
//                      convolution whose reduction was split over workgroups (sum_parts.wgsl) and the first one of its statistics
//   combine            with n_b rows in block b and K = mean_0:
//                      mean = K + sum n_b (mean_b - K) / n
//                      squares = sum(squares_b + n_b (mean_b - K)^2) - (sum n_b (mean_b - K))^2 / n
//                      inverseDeviation = 1 / sqrt(squares / n + epsilon),   variance = squares / (n - 1), or 0 if n = 1
//
// The shift K is a value of the data, so that a mean far from zero does not cancel (Chan, Golub and LeVeque 1983,
// "Algorithms for computing the sample variance"); sums have a fixed order.
//
// x                             [rows, columns] Stored; parts [count of parts, rows, columns] Element
// partials                      [blocks, 2, columns] Element: mean_b, squares_b, block by block, so that blocks can be sliced
// mean, inverseDeviation, variance   [columns] Element
// Dispatch: kernels/row-blocks.ts, reducingBlocks for the first pass, combiningBlocks over the blocks for the second.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE,
//   SHARED_ROWS (the row lanes of a workgroup share one block and reduce in workgroup memory; else each has its own).

struct Parameters {
  rows: u32,
  columns: u32,
  columnLanes: u32,
  rowLanes: u32,
  rowsPerBlock: u32,
  blocks: u32,
  // Of the second pass alone, whose rows are the blocks of the first: the rows of x, of one block, and epsilon.
  sampleRows: u32,
  sampleRowsPerBlock: u32,
  epsilon: f32,
  // Of parts_statistics alone.
  parts: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> blockPartials: array<Element>;

@group(0) @binding(1) var<storage, read_write> parts: array<Element>;
@group(0) @binding(2) var<storage, read_write> total: array<Element>;
@group(0) @binding(3) var<storage, read_write> totalPartials: array<Element>;

@group(0) @binding(1) var<storage, read_write> partials: array<Element>;
@group(0) @binding(2) var<storage, read_write> mean: array<Element>;
@group(0) @binding(3) var<storage, read_write> inverseDeviation: array<Element>;
@group(0) @binding(4) var<storage, read_write> variance: array<Element>;

// The part of a column that an invocation walks. Lanes outside of the matrix walk nothing, but stay for the barrier.
struct Walk {
  inside: bool,
  column: u32,
  block: u32,
  rowLane: u32,
  firstRow: u32,
  endRow: u32,
  begin: u32,
  stride: u32,
}

fn walkOf(group: vec3u, lane: u32) -> Walk {
  var walk: Walk;
  walk.rowLane = lane / parameters.columnLanes;
  walk.column = group.x * parameters.columnLanes + lane % parameters.columnLanes;
  walk.block = select(group.y * parameters.rowLanes + walk.rowLane, group.y, SHARED_ROWS);
  walk.inside = walk.rowLane < parameters.rowLanes && walk.column < parameters.columns && walk.block < parameters.blocks;
  walk.firstRow = walk.block * parameters.rowsPerBlock;
  walk.endRow = select(walk.firstRow, min(walk.firstRow + parameters.rowsPerBlock, parameters.rows), walk.inside);
  walk.begin = walk.firstRow + select(0u, walk.rowLane, SHARED_ROWS);
  walk.stride = select(1u, parameters.rowLanes, SHARED_ROWS);
  return walk;
}

struct Moments {
  first: Element,
  second: Element,
}

var<workgroup> rowLaneMoments: array<Moments, WORKGROUP_SIZE>;

// The sum over the row lanes, in their order; row lane 0 alone gets it.
fn reduceRowLanes(own: Moments, rowLane: u32, lane: u32) -> Moments {
  rowLaneMoments[lane] = own;
  workgroupBarrier();
  var total = own;
  if (rowLane == 0u) {
    for (var other = 1u; other < parameters.rowLanes; other++) {
      let theirs = rowLaneMoments[lane + other * parameters.columnLanes];
      total.first += theirs.first;
      total.second += theirs.second;
    }
  }
  return total;
}

// A column of a block, for the one invocation that owns its place in the partials.
struct Block {
  owned: bool,
  place: u32,
  mean: Element,
  squares: Element,
}

fn blockMoments(walk: Walk, shift: Element, own: Moments, lane: u32) -> Block {
  var moments = own;
  if (SHARED_ROWS) {
    moments = reduceRowLanes(moments, walk.rowLane, lane);
  }
  let shiftedMean = moments.first / f32(max(walk.endRow - walk.firstRow, 1u));
  let owned = walk.inside && (!SHARED_ROWS || walk.rowLane == 0u);
  return Block(owned, 2u * walk.block * parameters.columns + walk.column, shift + shiftedMean, moments.second - moments.first * shiftedMean);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn block_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var shift = Element();
  var moments: Moments;
  if (walk.inside) {
    shift = Element(x[walk.firstRow * parameters.columns + walk.column]);
  }
  for (var row = walk.begin; row < walk.endRow; row += walk.stride) {
    let difference = Element(x[row * parameters.columns + walk.column]) - shift;
    moments.first += difference;
    moments.second += difference * difference;
  }
  let block = blockMoments(walk, shift, moments, lane);
  if (block.owned) {
    blockPartials[block.place] = block.mean;
    blockPartials[block.place + parameters.columns] = block.squares;
  }
}

fn sumOfParts(place: u32) -> Element {
  var sum = parts[place];
  for (var part = 1u; part < parameters.parts; part++) {
    sum += parts[part * parameters.rows * parameters.columns + place];
  }
  return sum;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn parts_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var shift = Element();
  var moments: Moments;
  if (walk.inside) {
    shift = sumOfParts(walk.firstRow * parameters.columns + walk.column);
  }
  for (var row = walk.begin; row < walk.endRow; row += walk.stride) {
    let place = row * parameters.columns + walk.column;
    let sum = sumOfParts(place);
    total[place] = sum;
    let difference = sum - shift;
    moments.first += difference;
    moments.second += difference * difference;
  }
  let block = blockMoments(walk, shift, moments, lane);
  if (block.owned) {
    totalPartials[block.place] = block.mean;
    totalPartials[block.place + parameters.columns] = block.squares;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn combine(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var shift = Element();
  var moments: Moments;
  if (walk.inside) {
    shift = partials[walk.column];
  }
  for (var row = walk.begin; row < walk.endRow; row += walk.stride) {
    let place = 2u * row * parameters.columns + walk.column;
    let count = f32(min(parameters.sampleRowsPerBlock, parameters.sampleRows - row * parameters.sampleRowsPerBlock));
    let difference = partials[place] - shift;
    moments.first += count * difference;
    moments.second += partials[place + parameters.columns] + count * difference * difference;
  }
  if (SHARED_ROWS) {
    moments = reduceRowLanes(moments, walk.rowLane, lane);
  }
  if (walk.inside && (!SHARED_ROWS || walk.rowLane == 0u)) {
    let count = f32(parameters.sampleRows);
    let shiftedMean = moments.first / count;
    // Rounding may leave a hair below zero, which epsilon = 0 would turn into NaN.
    let squares = max(moments.second - moments.first * shiftedMean, Element());
    mean[walk.column] = shift + shiftedMean;
    inverseDeviation[walk.column] = inverseSqrt(squares / count + parameters.epsilon);
    variance[walk.column] = squares / max(count - 1.0, 1.0);
  }
}
