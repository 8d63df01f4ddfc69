// Mean and variance of each column of x, in two passes over blocks of rows (Ioffe and Szegedy 2015, algorithm 1).
//
//   block_statistics   count, mean and squared differences of each block of rows
//   parts_statistics   the same of x = parts[0] + parts[1] + ..., in this order, which is written as well: the second pass of a
//                      convolution whose reduction was split over workgroups (sum-partials.wgsl) and the first one of its statistics
//   combine            of all blocks, in a fixed order:
//                      inverseDeviation = 1 / sqrt(squares / n + epsilon),   variance = squares / (n - 1), or 0 if n = 1
//
// A lane takes four rows at a time and puts them together as moments.wgsl says: neither a mean far from zero nor an outlier cancels.
// A channel with a NaN or an infinity gets NaN for both results; where the squares are beyond float32, the variance is infinite and
// the inverse deviation NaN, so that no result looks like a number.
//
// x                             [rows, columns] Stored; parts [count of parts, rows, columns] Element
// partials                      [blocks, 3, columns] Element: shift, rest and squares of the block's Moments, block by block, so that blocks can be sliced
// mean, inverseDeviation, variance   [columns] Element
// Dispatch: kernels/reduction/row-blocks.ts, reducingBlocks for the first pass, combiningBlocks over the blocks for the second.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), Index (vec4u or u32), WORKGROUP_SIZE and SHARED_ROWS
//   of row-blocks.wgsl. Libraries: moments.wgsl, row-blocks.wgsl.

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

alias Sums = Moments;

fn plus(a: Sums, b: Sums) -> Sums {
  return merged(a, b);
}

// The place of a block's column in the partials.
fn partialOf(walk: Walk) -> u32 {
  return 3u * walk.block * parameters.columns + walk.column;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn block_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  let stride = walk.stride;
  var moments: Moments;
  var i = walk.begin;
  for (; i + 3u * stride < walk.end; i += 4u * stride) {
    moments = merged(moments, momentsOfFour(Element(x[i]), Element(x[i + stride]), Element(x[i + 2u * stride]), Element(x[i + 3u * stride])));
  }
  for (; i < walk.end; i += stride) {
    moments = merged(moments, momentsOfOne(Element(x[i])));
  }
  moments = reduceRowLanes(moments, walk, lane);
  if (hasSums(walk)) {
    let place = partialOf(walk);
    blockPartials[place] = moments.shift;
    blockPartials[place + parameters.columns] = moments.rest;
    blockPartials[place + 2u * parameters.columns] = moments.squares;
  }
}

fn storeSumOfParts(place: u32) -> Element {
  var sum = parts[place];
  for (var part = 1u; part < parameters.parts; part++) {
    sum += parts[part * parameters.rows * parameters.columns + place];
  }
  total[place] = sum;
  return sum;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn parts_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  let stride = walk.stride;
  var moments: Moments;
  var i = walk.begin;
  for (; i + 3u * stride < walk.end; i += 4u * stride) {
    let a = storeSumOfParts(i);
    let b = storeSumOfParts(i + stride);
    let c = storeSumOfParts(i + 2u * stride);
    moments = merged(moments, momentsOfFour(a, b, c, storeSumOfParts(i + 3u * stride)));
  }
  for (; i < walk.end; i += stride) {
    moments = merged(moments, momentsOfOne(storeSumOfParts(i)));
  }
  moments = reduceRowLanes(moments, walk, lane);
  if (hasSums(walk)) {
    let place = partialOf(walk);
    totalPartials[place] = moments.shift;
    totalPartials[place + parameters.columns] = moments.rest;
    totalPartials[place + 2u * parameters.columns] = moments.squares;
  }
}

const EXPONENT = 0x7f800000u;
const QUIET_NAN = 0x7fc00000u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn combine(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let walk = walkOf(group, lane);
  var moments: Moments;
  for (var i = walk.begin; i < walk.end; i += walk.stride) {
    // A block has three rows of partials.
    let place = 3u * i - 2u * walk.column;
    let row = i / parameters.columns;
    let count = f32(min(parameters.sampleRowsPerBlock, parameters.sampleRows - row * parameters.sampleRowsPerBlock));
    moments = merged(moments, Moments(count, partials[place], partials[place + parameters.columns], partials[place + 2u * parameters.columns]));
  }
  moments = reduceRowLanes(moments, walk, lane);
  if (hasSums(walk)) {
    let count = f32(parameters.sampleRows);
    let columnMean = moments.shift + moments.rest;
    // By bits: a compiler may assume that no value is NaN or infinite.
    let meanBits = bitcast<Index>(columnMean);
    let squaresBits = bitcast<Index>(moments.squares);
    let isUndefined = (meanBits & Index(EXPONENT)) == Index(EXPONENT);
    let isBeyond = isUndefined | ((squaresBits & Index(EXPONENT)) == Index(EXPONENT));
    let undefined = bitcast<Element>(squaresBits | Index(QUIET_NAN));
    // Rounding may leave a hair below zero, which epsilon = 0 would turn into NaN.
    let squares = select(moments.squares, Element(), moments.squares < Element());
    mean[walk.column] = columnMean;
    inverseDeviation[walk.column] = select(inverseSqrt(squares / count + parameters.epsilon), undefined, isBeyond);
    variance[walk.column] = select(select(squares / max(count - 1.0, 1.0), moments.squares, isBeyond), undefined, isUndefined);
  }
}
