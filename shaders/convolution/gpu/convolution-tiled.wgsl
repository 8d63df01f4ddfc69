// Convolution, forward or data gradient, by tiles in workgroup memory, four channels at a time. For the mathematics, the merged
// rows of taps and the phases of the data gradient see convolution-weight-stationary.wgsl; operands and epilogue are the same.
//
// Made for GPUs. A workgroup computes TILE_ROWS destination pixels x TILE_COLUMNS channels, an invocation ROWS x COLUMNS of them
// in registers. The reduction advances by DEPTH: while a K-tile is multiplied out of workgroup memory, the next one is on its way
// from global memory into registers. A second tile of workgroup memory to put it in would save one of the two barriers of an iteration, and
// costs more than it saves (docs/lab/rejected.md).
//
// Source vectors run along the depth, as they lie in memory; weight vectors along the columns (the data gradient, whose
// weights run along the depth, transposes blocks of 4 x 4 in registers). Four depths are ROWS + COLUMNS vector
// reads and 4 * ROWS * COLUMNS multiply-adds. No bank conflicts: neighboring invocations read neighboring weight vectors, and
// a padding vector a row spreads the source's rows over the banks.
//
// The reduction may be split over workgroups (`kTilesPerSplit`); the partial sums, each as large as the destination, are then added
// in a second pass (sum-partials.wgsl, or sum-partials-epilogue.wgsl with an epilogue).
//
// Entry points: main, and with_statistics for a forward convolution that is not split: each workgroup also writes the Moments of its
//   columns (moments.wgsl) to blockPartials [ceil(pixels / TILE_ROWS), 3, destinationChannels], first their mean, then the squares about it,
//   while it has them in registers; `combine` of batch-norm-statistics.wgsl reads them with TILE_ROWS rows a block. It needs
//   TILE_ROWS / ROWS <= DEPTH, and as many vectors for the source.
// With BATCHED it is as many plain products as there are splits, one behind the other in all three operands, and nothing is added:
// source [splitK, pixels, sourceChannels], weights [splitK, sourceChannels, destinationChannels], destination [splitK, pixels, destinationChannels].
//
// Dispatch: [.., .., phases * splits], x * y folded from ceil(destinationChannels / TILE_COLUMNS) * ceil(pixels of the largest
//   phase / TILE_ROWS), channels first: workgroups that run together read the same pixels.
// Libraries: convolution-parameters.wgsl, convolution-axis.wgsl and the sums of `sumsOfRows` (kernels/convolution/gpu/register-sums.ts).
// Limits: TILE_ROWS / ROWS * TILE_COLUMNS / COLUMNS invocations; see `workgroupBytes` in kernels/contract/tiles.ts.
// Needs: source and destination channels in multiples of four.
// Constants: WHOLE, whether the taps of each row are a multiple of DEPTH numbers; INSIDE, whether no tap is outside the source;
//   Scalar, the type of source, weights and residual, f32 or f16, and Target, that of the destination, which is f32 where
//   it is a part (sums, scale and shift are f32 always); DATA_GRADIENT, AFFINE, RESIDUAL, RELU; POINTWISE (1x1, stride 1, no
//   padding: pixels need no arithmetic);
//   BATCHED (with POINTWISE, without DATA_GRADIENT and epilogue); TILE_ROWS, TILE_COLUMNS, DEPTH, ROWS, COLUMNS (multiples of four except ROWS);
//   UNROLLED: whether the compiler may see the depth of the inner loop (on lavapipe that multiplies the time it takes).
// Source: the register-tiled matrix product of V. Volkov and J. Demmel, Benchmarking GPUs to tune dense linear algebra (SC 2008).

@group(0) @binding(1) var<storage, read_write> source: array<vec4<Scalar>>;
@group(0) @binding(2) var<storage, read_write> weights: array<vec4<Scalar>>;
@group(0) @binding(3) var<storage, read_write> destination: array<vec4<Target>>;
// Only for with_statistics, which has no epilogue otherwise.
@group(0) @binding(4) var<storage, read_write> blockPartials: array<vec4f>;

@group(0) @binding(4) var<storage, read_write> scale: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> shift: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> residual: array<vec4<Scalar>>;

const DEPTH_VECTORS = DEPTH / 4u;
const TILE_COLUMN_VECTORS = TILE_COLUMNS / 4u;
const COLUMN_VECTORS = COLUMNS / 4u;
const ROW_INVOCATIONS = TILE_ROWS / ROWS;
const COLUMN_INVOCATIONS = TILE_COLUMNS / COLUMNS;
const INVOCATIONS = ROW_INVOCATIONS * COLUMN_INVOCATIONS;

// Vectors of the source tile, blocks of 4 x 4 of the weight tile, and how many of them an invocation stages at most.
const SOURCE_VECTORS = TILE_ROWS * DEPTH_VECTORS;
const WEIGHT_BLOCKS = DEPTH_VECTORS * TILE_COLUMN_VECTORS;
const SOURCE_SLOTS = (SOURCE_VECTORS + INVOCATIONS - 1u) / INVOCATIONS;
const WEIGHT_SLOTS = (WEIGHT_BLOCKS + INVOCATIONS - 1u) / INVOCATIONS;

// [row][depth / 4] and [depth][column / 4]. The data gradient writes weights across the rows, hence its padding.
const SOURCE_STRIDE = DEPTH_VECTORS + 1u;
const WEIGHT_STRIDE = TILE_COLUMN_VECTORS + select(0u, 1u, DATA_GRADIENT);
var<workgroup> sourceTile: array<vec4f, TILE_ROWS * SOURCE_STRIDE>;
var<workgroup> weightTile: array<vec4f, DEPTH * WEIGHT_STRIDE>;

// Where a staged vector comes from: the run of taps of its pixel begins at `base`, in source row `row`, and is inside the
// image between the offsets `first` and `last`. All in vectors.
struct Run {
  base: i32,
  row: i32,
  first: i32,
  last: i32,
}

// Invocations that find no vector of a K-tile left stage the last one again, and what lies behind the last pixel or column is read as these:
// their sums are not stored. So only what a K-tile must count as zero is looked for, and where all is there nothing is.
fn sourceVectorOf(slot: u32, invocation: u32) -> u32 {
  return select(min(invocation + slot * INVOCATIONS, SOURCE_VECTORS - 1u), invocation + slot * INVOCATIONS, SOURCE_VECTORS % INVOCATIONS == 0u);
}

fn weightBlockOf(slot: u32, invocation: u32) -> u32 {
  return select(min(invocation + slot * INVOCATIONS, WEIGHT_BLOCKS - 1u), invocation + slot * INVOCATIONS, WEIGHT_BLOCKS % INVOCATIONS == 0u);
}

var<private> runs: array<Run, SOURCE_SLOTS>;
var<private> stagedSource: array<vec4<Scalar>, SOURCE_SLOTS>;
var<private> stagedWeights: array<vec4<Scalar>, 4u * WEIGHT_SLOTS>;

// Global memory to registers: the K-tile at `start` (in vectors) of the runs of a tap row.
fn load(tapRow: u32, start: u32, tile: Tile, invocation: u32) {
  let y = tile.y;
  let x = tile.x;
  let channelVectors = parameters.sourceChannels / 4u;
  let columnVectors = parameters.destinationChannels / 4u;
  for (var slot = 0u; slot < SOURCE_SLOTS; slot++) {
    let run = runs[slot];
    let offset = i32(start + sourceVectorOf(slot, invocation) % DEPTH_VECTORS);
    let index = u32(run.base + offset + select(i32(tapRow * parameters.sourceWidth * channelVectors), 0, POINTWISE));
    if (WHOLE && INSIDE) {
      stagedSource[slot] = source[index];
    } else {
      let row = run.row + i32(tapRow);
      let inside = offset < run.last && (INSIDE || (offset >= run.first && row >= 0 && row < i32(parameters.sourceHeight)));
      stagedSource[slot] = select(vec4<Scalar>(), source[select(0u, index, inside)], inside);
    }
  }
  let kernelRow = y.firstTap + i32(tapRow) * y.tapStep;
  for (var slot = 0u; slot < WEIGHT_SLOTS; slot++) {
    // Neighboring invocations follow the weights in memory.
    let block = weightBlockOf(slot, invocation);
    let offset = start + select(block / TILE_COLUMN_VECTORS, block % DEPTH_VECTORS, DATA_GRADIENT);
    let column = min(tile.firstColumnVector + select(block % TILE_COLUMN_VECTORS, block / DEPTH_VECTORS, DATA_GRADIENT), columnVectors - 1u);
    var index: u32;
    var stride: u32;
    if (DATA_GRADIENT) {
      let tap = select(offset / channelVectors, 0u, POINTWISE);
      let kernelPixel = u32(kernelRow * i32(parameters.kernelWidth) + x.firstTap + i32(tap) * x.tapStep);
      index = (kernelPixel * parameters.destinationChannels + 4u * column) * channelVectors + offset - tap * channelVectors;
      stride = channelVectors;
    } else {
      let firstRow = select(u32(kernelRow) * parameters.kernelWidth, tile.split, BATCHED) * parameters.sourceChannels;
      index = (firstRow + 4u * offset) * columnVectors + column;
      stride = columnVectors;
    }
    for (var i = 0u; i < 4u; i++) {
      if (WHOLE) {
        stagedWeights[4u * slot + i] = weights[index + i * stride];
      } else {
        let inside = offset < x.taps * channelVectors;
        stagedWeights[4u * slot + i] = select(vec4<Scalar>(), weights[select(0u, index + i * stride, inside)], inside);
      }
    }
  }
}

// Registers to workgroup memory, which holds f32: a 16-bit number is upcast once, not each time it is read.
fn stage(invocation: u32) {
  for (var slot = 0u; slot < SOURCE_SLOTS; slot++) {
    let vector = invocation + slot * INVOCATIONS;
    if (vector < SOURCE_VECTORS) {
      sourceTile[vector / DEPTH_VECTORS * SOURCE_STRIDE + vector % DEPTH_VECTORS] = vec4f(stagedSource[slot]);
    }
  }
  for (var slot = 0u; slot < WEIGHT_SLOTS; slot++) {
    let block = invocation + slot * INVOCATIONS;
    if (block < WEIGHT_BLOCKS) {
      var weights4x4 = mat4x4<Scalar>(stagedWeights[4u * slot], stagedWeights[4u * slot + 1u], stagedWeights[4u * slot + 2u], stagedWeights[4u * slot + 3u]);
      if (DATA_GRADIENT) {
        weights4x4 = transpose(weights4x4);
      }
      let depth = 4u * select(block / TILE_COLUMN_VECTORS, block % DEPTH_VECTORS, DATA_GRADIENT);
      let column = select(block % TILE_COLUMN_VECTORS, block / DEPTH_VECTORS, DATA_GRADIENT);
      let first = depth * WEIGHT_STRIDE + column;
      weightTile[first] = vec4f(weights4x4[0]);
      weightTile[first + WEIGHT_STRIDE] = vec4f(weights4x4[1]);
      weightTile[first + 2u * WEIGHT_STRIDE] = vec4f(weights4x4[2]);
      weightTile[first + 3u * WEIGHT_STRIDE] = vec4f(weights4x4[3]);
    }
  }
}

// What the sums are made of: a row's next four depths, and the columns' weights of each of them.
fn leftVector(place: u32, row: u32) -> vec4f {
  return sourceTile[place + row * ROW_INVOCATIONS * SOURCE_STRIDE];
}

fn rightVector(place: u32, depth: u32, columnVector: u32) -> vec4f {
  return weightTile[place + depth * WEIGHT_STRIDE + columnVector * COLUMN_INVOCATIONS];
}

fn multiply(rowInvocation: u32, columnInvocation: u32) {
  for (var k = 0u; k < select(parameters.depth / 4u, DEPTH_VECTORS, UNROLLED); k++) {
    addProducts(rowInvocation * SOURCE_STRIDE + k, 4u * k * WEIGHT_STRIDE + columnInvocation);
  }
}

// What a workgroup computes: pixels of one phase and columns of one split, and the axes of that phase.
struct Tile {
  y: Axis,
  x: Axis,
  pixels: u32,
  firstPixel: u32,
  firstColumnVector: u32,
  split: u32,
}

fn tileOf(group: vec3u, gridWidth: u32) -> Tile {
  let p = parameters;
  let phases = select(1u, p.strideY * p.strideX, DATA_GRADIENT);
  let phase = group.z % phases;
  let y = axis(p.destinationHeight, p.kernelHeight, p.strideY, p.paddingY, phase / p.strideX);
  let x = axis(p.destinationWidth, p.kernelWidth, p.strideX, p.paddingX, phase % p.strideX);
  let columnTiles = (p.destinationChannels + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let tile = group.x + group.y * gridWidth;
  return Tile(y, x, p.batch * y.pixels * x.pixels, (tile / columnTiles) * TILE_ROWS, (tile % columnTiles) * TILE_COLUMN_VECTORS, group.z / phases);
}

// The pixels of the products before this one, where there are several.
fn firstBatchedPixel(tile: Tile) -> u32 {
  return select(0u, tile.split * tile.pixels, BATCHED);
}

// The products of a tile, into the sums.
fn sumTile(tile: Tile, rowInvocation: u32, columnInvocation: u32, invocation: u32) {
  let p = parameters;
  let y = tile.y;
  let x = tile.x;
  let channelVectors = i32(p.sourceChannels / 4u);
  let runVectors = x.taps * p.sourceChannels / 4u;

  for (var slot = 0u; slot < SOURCE_SLOTS; slot++) {
    let pixel = min(tile.firstPixel + sourceVectorOf(slot, invocation) / DEPTH_VECTORS, tile.pixels - 1u);
    var run: Run;
    if (POINTWISE) {
      run = Run(i32(pixel + firstBatchedPixel(tile)) * channelVectors, 0, 0, channelVectors);
    } else {
      let image = i32(pixel / (x.pixels * y.pixels));
      let row = y.origin + i32((pixel / x.pixels) % y.pixels) * y.stride;
      let column = x.origin + i32(pixel % x.pixels) * x.stride;
      let base = ((image * i32(p.sourceHeight) + row) * i32(p.sourceWidth) + column) * channelVectors;
      run = Run(base, row, -column * channelVectors, min(i32(runVectors), (i32(p.sourceWidth) - column) * channelVectors));
    }
    runs[slot] = run;
  }

  let kTilesPerRun = (runVectors + DEPTH_VECTORS - 1u) / DEPTH_VECTORS;
  let firstKTile = select(tile.split * p.kTilesPerSplit, 0u, BATCHED);
  let endKTile = min(firstKTile + p.kTilesPerSplit, y.taps * kTilesPerRun);
  var tapRow = firstKTile / max(kTilesPerRun, 1u);
  var start = (firstKTile % max(kTilesPerRun, 1u)) * DEPTH_VECTORS;
  for (var kTile = firstKTile; kTile <= endKTile; kTile++) {
    if (kTile < endKTile) {
      load(tapRow, start, tile, invocation);
      start += DEPTH_VECTORS;
      if (start >= runVectors) {
        start = 0u;
        tapRow++;
      }
    }
    if (kTile > firstKTile) {
      multiply(rowInvocation, columnInvocation);
    }
    if (kTile < endKTile) {
      workgroupBarrier();
      stage(invocation);
      workgroupBarrier();
    }
  }
}

fn destinationPixelOf(pixel: u32, y: Axis, x: Axis) -> u32 {
  if (POINTWISE) {
    return pixel;
  }
  let image = pixel / (x.pixels * y.pixels);
  let placeY = y.phase + ((pixel / x.pixels) % y.pixels) * y.step;
  let placeX = x.phase + (pixel % x.pixels) * x.step;
  return (image * parameters.destinationHeight + placeY) * parameters.destinationWidth + placeX;
}

// An invocation's part of a tile.
struct Place {
  tile: Tile,
  rowInvocation: u32,
  columnInvocation: u32,
}

fn pixelOf(row: u32, place: Place) -> u32 {
  return place.tile.firstPixel + place.rowInvocation + row * ROW_INVOCATIONS;
}

fn columnOf(columnVector: u32, place: Place) -> u32 {
  return place.tile.firstColumnVector + place.columnInvocation + columnVector * COLUMN_INVOCATIONS;
}

var<private> factors: array<vec4f, COLUMN_VECTORS>;
var<private> offsets: array<vec4f, COLUMN_VECTORS>;

fn storeRow(row: u32, values: array<vec4f, COLUMN_VECTORS>, place: Place) {
  let p = parameters;
  let pixel = pixelOf(row, place);
  if (pixel >= place.tile.pixels) {
    return;
  }
  let columnVectors = p.destinationChannels / 4u;
  let partial = place.tile.split * p.batch * p.destinationHeight * p.destinationWidth;
  let first = (partial + destinationPixelOf(pixel, place.tile.y, place.tile.x)) * columnVectors;
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    let column = columnOf(j, place);
    if (column < columnVectors) {
      var value = values[j];
      if (AFFINE) {
        value = fma(value, factors[j], offsets[j]);
      }
      if (RESIDUAL) {
        value += vec4f(residual[first + column]);
      }
      if (RELU) {
        // Not max(): that may swallow a NaN.
        value = select(value, vec4f(), value < vec4f());
      }
      destination[first + column] = vec4<Target>(value);
    }
  }
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let tile = tileOf(group, grid.x);
  if (tile.firstPixel >= tile.pixels) {
    return;
  }
  let place = Place(tile, invocation / COLUMN_INVOCATIONS, invocation % COLUMN_INVOCATIONS);
  sumTile(tile, place.rowInvocation, place.columnInvocation, invocation);
  if (AFFINE) {
    for (var j = 0u; j < COLUMN_VECTORS; j++) {
      let column = min(columnOf(j, place), parameters.destinationChannels / 4u - 1u);
      factors[j] = scale[column];
      offsets[j] = shift[column];
    }
  }
  storeRows(place);
}

// What the pixels are shifted by, and the sums and the sums of squares of what is left.
var<private> shifts: array<vec4f, COLUMN_VECTORS>;
var<private> totals: array<vec4f, COLUMN_VECTORS>;
var<private> squares: array<vec4f, COLUMN_VECTORS>;

fn addRow(row: u32, values: array<vec4f, COLUMN_VECTORS>, place: Place) {
  if (pixelOf(row, place) >= place.tile.pixels) {
    return;
  }
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    totals[j] += values[j];
  }
}

fn countRow(row: u32, values: array<vec4f, COLUMN_VECTORS>, place: Place) {
  let pixel = pixelOf(row, place);
  if (pixel >= place.tile.pixels) {
    return;
  }
  let columnVectors = parameters.destinationChannels / 4u;
  let first = destinationPixelOf(pixel, place.tile.y, place.tile.x) * columnVectors;
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    let column = columnOf(j, place);
    if (column < columnVectors) {
      destination[first + column] = vec4<Target>(values[j]);
    }
    let difference = values[j] - shifts[j];
    totals[j] += difference;
    squares[j] += difference * difference;
  }
}

// Where the invocations of a column put their sums: in the tiles' workgroup memory, which the products no longer need.
fn summandOf(rowInvocation: u32, place: Place, j: u32) -> u32 {
  return rowInvocation * TILE_COLUMN_VECTORS + place.columnInvocation + j * COLUMN_INVOCATIONS;
}

@compute @workgroup_size(INVOCATIONS)
fn with_statistics(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let tile = tileOf(group, grid.x);
  if (tile.firstPixel >= tile.pixels) {
    return;
  }
  let place = Place(tile, invocation / COLUMN_INVOCATIONS, invocation % COLUMN_INVOCATIONS);
  sumTile(tile, place.rowInvocation, place.columnInvocation, invocation);
  let count = f32(min(TILE_ROWS, tile.pixels - tile.firstPixel));

  addRows(place);
  workgroupBarrier();
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    sourceTile[summandOf(place.rowInvocation, place, j)] = totals[j];
  }
  workgroupBarrier();
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    var total = vec4f();
    for (var rowInvocation = 0u; rowInvocation < ROW_INVOCATIONS; rowInvocation++) {
      total += sourceTile[summandOf(rowInvocation, place, j)];
    }
    shifts[j] = total / count;
    totals[j] = vec4f();
  }
  countRows(place);

  workgroupBarrier();
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    let summand = summandOf(place.rowInvocation, place, j);
    sourceTile[summand] = totals[j];
    weightTile[summand] = squares[j];
  }
  workgroupBarrier();
  let columnVectors = parameters.destinationChannels / 4u;
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    let column = columnOf(j, place);
    if (place.rowInvocation == 0u && column < columnVectors) {
      var total = totals[j];
      var squared = squares[j];
      for (var rowInvocation = 1u; rowInvocation < ROW_INVOCATIONS; rowInvocation++) {
        let summand = summandOf(rowInvocation, place, j);
        total += sourceTile[summand];
        squared += weightTile[summand];
      }
      let rest = total / count;
      let partial = 3u * (tile.firstPixel / TILE_ROWS) * columnVectors + column;
      blockPartials[partial] = shifts[j];
      blockPartials[partial + columnVectors] = rest;
      blockPartials[partial + 2u * columnVectors] = squared - total * rest;
    }
  }
}
