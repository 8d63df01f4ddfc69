// Mean and variance of each column of x, in two passes over blocks of rows (Ioffe and Szegedy 2015, algorithm 1).
//
//   block_statistics   count, mean and squared differences of each block of rows
//   partial_sums_statistics   the same of x = partialSums[0] + partialSums[1] + ..., in this order, which is written as well: the second pass of a
//                      convolution whose reduction was split over workgroups (sum-partials.wgsl) and the first one of its statistics
//   combine            of all blocks, in a fixed order:
//                      inverseDeviation = 1 / sqrt(squares / n + epsilon),   variance = squares / (n - 1), or 0 if n = 1
//
// An invocation takes four rows at a time and puts them together as moments.wgsl says: neither a mean far from zero nor an outlier cancels.
// A channel with a NaN or an infinity gets NaN for both results; where the squares are beyond float32, the variance is infinite and
// the inverse deviation NaN, so that no result looks like a number.
//
// x                             [rows, columns] Stored; partialSums [splits, rows, columns] Element
// partials                      [blocks, 3, columns] Element: shift, rest and squares of the block's Moments, block by block, so that blocks can be sliced
// mean, inverseDeviation, variance   [columns] Element
// Dispatch: kernels/reduction/row-blocks.ts, reducingBlocks for the first pass, combiningBlocks over the blocks for the second.
// Constants: Element (vec4f, or f32 where the channels are no multiple of four), Stored (Element, or the same of f16), Index
//   (vec4u or u32), WORKGROUP_SIZE and SHARED_ROWS
//   of row-blocks.wgsl. Libraries: moments.wgsl, row-blocks.wgsl.

struct Parameters {
  rows: u32,
  columns: u32,
  columnInvocations: u32,
  rowInvocations: u32,
  rowsPerBlock: u32,
  blocks: u32,
  // Only for the second pass, whose rows are the blocks of the first: the rows of x, of one block, and epsilon.
  sampleRows: u32,
  sampleRowsPerBlock: u32,
  epsilon: f32,
  // Only for partial_sums_statistics.
  splits: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> blockPartials: array<Element>;

@group(0) @binding(1) var<storage, read_write> partialSums: array<Element>;
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
fn partialOf(range: RowRange) -> u32 {
  return 3u * range.block * parameters.columns + range.column;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn block_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let stride = range.stride;
  var moments: Moments;
  var i = range.begin;
  for (; i + 3u * stride < range.end; i += 4u * stride) {
    moments = merged(moments, momentsOfFour(Element(x[i]), Element(x[i + stride]), Element(x[i + 2u * stride]), Element(x[i + 3u * stride])));
  }
  for (; i < range.end; i += stride) {
    moments = merged(moments, momentsOfOne(Element(x[i])));
  }
  moments = reduceRowInvocations(moments, range, invocation);
  if (hasSums(range)) {
    let place = partialOf(range);
    blockPartials[place] = moments.shift;
    blockPartials[place + parameters.columns] = moments.rest;
    blockPartials[place + 2u * parameters.columns] = moments.squares;
  }
}

fn storeSumOfPartials(place: u32) -> Element {
  let sum = totalOf(place, parameters.rows * parameters.columns, parameters.splits);
  total[place] = sum;
  return sum;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn partial_sums_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  let stride = range.stride;
  var moments: Moments;
  var i = range.begin;
  for (; i + 3u * stride < range.end; i += 4u * stride) {
    let a = storeSumOfPartials(i);
    let b = storeSumOfPartials(i + stride);
    let c = storeSumOfPartials(i + 2u * stride);
    moments = merged(moments, momentsOfFour(a, b, c, storeSumOfPartials(i + 3u * stride)));
  }
  for (; i < range.end; i += stride) {
    moments = merged(moments, momentsOfOne(storeSumOfPartials(i)));
  }
  moments = reduceRowInvocations(moments, range, invocation);
  if (hasSums(range)) {
    let place = partialOf(range);
    totalPartials[place] = moments.shift;
    totalPartials[place + parameters.columns] = moments.rest;
    totalPartials[place + 2u * parameters.columns] = moments.squares;
  }
}

const EXPONENT = 0x7f800000u;
const QUIET_NAN = 0x7fc00000u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn combine(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let range = rowRangeOf(group, invocation);
  var moments: Moments;
  for (var i = range.begin; i < range.end; i += range.stride) {
    // A block has three rows of partials.
    let place = 3u * i - 2u * range.column;
    let row = i / parameters.columns;
    let count = f32(min(parameters.sampleRowsPerBlock, parameters.sampleRows - row * parameters.sampleRowsPerBlock));
    moments = merged(moments, Moments(count, partials[place], partials[place + parameters.columns], partials[place + 2u * parameters.columns]));
  }
  moments = reduceRowInvocations(moments, range, invocation);
  if (hasSums(range)) {
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
    mean[range.column] = columnMean;
    inverseDeviation[range.column] = select(inverseSqrt(squares / count + parameters.epsilon), undefined, isBeyond);
    variance[range.column] = select(select(squares / max(count - 1.0, 1.0), moments.squares, isBeyond), undefined, isUndefined);
  }
}
