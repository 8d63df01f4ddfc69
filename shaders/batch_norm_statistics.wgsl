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
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), WORKGROUP_SIZE and SHARED_ROWS
//   of row_blocks.wgsl, the library put before it.

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

// Of differences from a shift, and of their squares.
struct Sums {
  first: Element,
  second: Element,
}

fn plus(a: Sums, b: Sums) -> Sums {
  return Sums(a.first + b.first, a.second + b.second);
}

// A column of a block, for the one invocation that owns its place in the partials.
struct Block {
  owned: bool,
  place: u32,
  mean: Element,
  squares: Element,
}

fn blockMoments(walk: Walk, shift: Element, own: Sums, lane: u32) -> Block {
  let moments = reduceRowLanes(own, walk, lane);
  let shiftedMean = moments.first / f32(max(walk.rows, 1u));
  return Block(hasSums(walk), 2u * walk.block * parameters.columns + walk.column, shift + shiftedMean, moments.second - moments.first * shiftedMean);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn block_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var shift = Element();
  var moments: Sums;
  if (walk.inside) {
    shift = Element(x[walk.first]);
  }
  for (var i = walk.begin; i < walk.end; i += walk.stride) {
    let difference = Element(x[i]) - shift;
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
  var moments: Sums;
  if (walk.inside) {
    shift = sumOfParts(walk.first);
  }
  for (var i = walk.begin; i < walk.end; i += walk.stride) {
    let sum = sumOfParts(i);
    total[i] = sum;
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
  var moments: Sums;
  if (walk.inside) {
    shift = partials[walk.column];
  }
  for (var i = walk.begin; i < walk.end; i += walk.stride) {
    // A block has two rows of partials.
    let place = 2u * i - walk.column;
    let row = i / parameters.columns;
    let count = f32(min(parameters.sampleRowsPerBlock, parameters.sampleRows - row * parameters.sampleRowsPerBlock));
    let difference = partials[place] - shift;
    moments.first += count * difference;
    moments.second += partials[place + parameters.columns] + count * difference * difference;
  }
  moments = reduceRowLanes(moments, walk, lane);
  if (hasSums(walk)) {
    let count = f32(parameters.sampleRows);
    let shiftedMean = moments.first / count;
    // Rounding may leave a hair below zero, which epsilon = 0 would turn into NaN.
    let squares = max(moments.second - moments.first * shiftedMean, Element());
    mean[walk.column] = shift + shiftedMean;
    inverseDeviation[walk.column] = inverseSqrt(squares / count + parameters.epsilon);
    variance[walk.column] = squares / max(count - 1.0, 1.0);
  }
}
