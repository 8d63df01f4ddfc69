// Convolution, forward or data gradient, by the matrix units of a GPU. For the mathematics, the merged rows of taps and the phases of
// the data gradient see convolution-weight-stationary.wgsl; operands, parameters, parts and epilogue are those of convolution-tiled.wgsl.
//
// A workgroup computes TILE_ROWS destination pixels x TILE_COLUMNS channels. The tile is cut into blocks of BLOCK_ROWS x BLOCK_COLUMNS,
// one for each subgroup, and a block into the fragments that a matrix unit multiplies. The reduction advances by DEPTH: while a
// K-tile is multiplied out of workgroup memory, the next one is on its way from global memory into registers, as in
// convolution-tiled.wgsl. Vectors go to workgroup memory as they lie in global memory; the weights of the data gradient, which lie along
// the depth, stay transposed, since the unit reads either way.
//
// All that touches a fragment is in a library that is put before this file: matrix-units.wgsl. A fragment's numbers are nobody's in
// particular, so the sums pass through workgroup memory, a fragment of each block at a time, on their way to the epilogue.
//
// Nothing depends on how many invocations a subgroup has: where it turns out that fewer subgroups run than there are blocks,
// they take the rest in another pass; where there are more, some only help to load.
//
// Library: convolution-parameters.wgsl.
// Dispatch: as convolution-tiled.wgsl with tiles of TILE_ROWS x TILE_COLUMNS.
// Limits: INVOCATIONS, a multiple of the adapter's largest subgroup; see `workgroupBytes` in kernels/convolution/gpu/matrix-units.ts.
// Needs: subgroups, and what the library needs; source and destination channels in multiples of four.
// Constants: DATA_GRADIENT, AFFINE, RESIDUAL, RELU, POINTWISE, Scalar, Target as in convolution-tiled.wgsl; MATRIX_ROWS, MATRIX_COLUMNS,
//   MATRIX_DEPTH of the unit; TILE_ROWS, TILE_COLUMNS, DEPTH, BLOCK_ROWS, BLOCK_COLUMNS, multiples of these; INVOCATIONS;
//   PADDING, vectors behind each row of a tile: 16 bytes, which the unit's loads are aligned to, and rows begin in other banks;
//   UNROLLED as in convolution-tiled.wgsl.

@group(0) @binding(1) var<storage, read_write> source: array<vec4<Scalar>>;
@group(0) @binding(2) var<storage, read_write> weights: array<vec4<Scalar>>;
@group(0) @binding(3) var<storage, read_write> destination: array<vec4<Target>>;
@group(0) @binding(4) var<storage, read_write> scale: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> shift: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> residual: array<vec4<Scalar>>;

const DEPTH_VECTORS = DEPTH / 4u;
const TILE_COLUMN_VECTORS = TILE_COLUMNS / 4u;

// [row][depth / 4], and [depth][column / 4] or, transposed, [column][depth / 4].
const RIGHT_TRANSPOSED = DATA_GRADIENT;
const RIGHT_ROWS = select(DEPTH, TILE_COLUMNS, RIGHT_TRANSPOSED);
const RIGHT_ROW_VECTORS = select(TILE_COLUMN_VECTORS, DEPTH_VECTORS, RIGHT_TRANSPOSED);
const LEFT_STRIDE = DEPTH_VECTORS + PADDING;
const RIGHT_STRIDE = RIGHT_ROW_VECTORS + PADDING;
var<workgroup> leftTile: array<vec4<Scalar>, TILE_ROWS * LEFT_STRIDE>;
var<workgroup> rightTile: array<vec4<Scalar>, RIGHT_ROWS * RIGHT_STRIDE>;

const BLOCKS_ACROSS = TILE_COLUMNS / BLOCK_COLUMNS;
const BLOCKS = TILE_ROWS / BLOCK_ROWS * BLOCKS_ACROSS;
const FRAGMENT_ROWS = BLOCK_ROWS / MATRIX_ROWS;
const FRAGMENT_COLUMNS = BLOCK_COLUMNS / MATRIX_COLUMNS;
const FRAGMENTS = FRAGMENT_ROWS * FRAGMENT_COLUMNS;

// One fragment of each block.
const MATRIX_COLUMN_VECTORS = MATRIX_COLUMNS / 4u;
const SUM_VECTORS = MATRIX_ROWS * MATRIX_COLUMN_VECTORS;
var<workgroup> sumTile: array<vec4f, BLOCKS * SUM_VECTORS>;

// Vectors of the tiles, and how many of them an invocation stages at most.
const LEFT_VECTORS = TILE_ROWS * DEPTH_VECTORS;
const RIGHT_VECTORS = DEPTH_VECTORS * TILE_COLUMNS;
const LEFT_SLOTS = (LEFT_VECTORS + INVOCATIONS - 1u) / INVOCATIONS;
const RIGHT_SLOTS = (RIGHT_VECTORS + INVOCATIONS - 1u) / INVOCATIONS;

// Where a staged vector comes from: the run of taps of its pixel begins at `base`, in source row `row`, and is inside the
// image between the offsets `first` and `last`. All in vectors.
struct Run {
  base: i32,
  row: i32,
  first: i32,
  last: i32,
}

var<private> runs: array<Run, LEFT_SLOTS>;
var<private> stagedLeft: array<vec4<Scalar>, LEFT_SLOTS>;
var<private> stagedRight: array<vec4<Scalar>, RIGHT_SLOTS>;

// What a workgroup computes: pixels of one phase and columns of one split, and the axes of that phase.
struct Tile {
  y: Axis,
  x: Axis,
  pixels: u32,
  firstPixel: u32,
  firstColumn: u32,
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
  return Tile(y, x, p.batch * y.pixels * x.pixels, (tile / columnTiles) * TILE_ROWS, (tile % columnTiles) * TILE_COLUMNS, group.z / phases);
}

fn findRuns(tile: Tile, lane: u32) {
  let p = parameters;
  let y = tile.y;
  let x = tile.x;
  let channelVectors = i32(p.sourceChannels / 4u);
  let runVectors = i32(x.taps) * channelVectors;
  for (var slot = 0u; slot < LEFT_SLOTS; slot++) {
    let vector = lane + slot * INVOCATIONS;
    let pixel = tile.firstPixel + vector / DEPTH_VECTORS;
    var run: Run;
    if (POINTWISE) {
      run = Run(i32(pixel) * channelVectors, 0, 0, channelVectors);
    } else {
      let image = i32(pixel / (x.pixels * y.pixels));
      let row = y.origin + i32((pixel / x.pixels) % y.pixels) * y.stride;
      let column = x.origin + i32(pixel % x.pixels) * x.stride;
      let base = ((image * i32(p.sourceHeight) + row) * i32(p.sourceWidth) + column) * channelVectors;
      run = Run(base, row, -column * channelVectors, min(runVectors, (i32(p.sourceWidth) - column) * channelVectors));
    }
    if (vector >= LEFT_VECTORS || pixel >= tile.pixels) {
      run.last = run.first;
    }
    runs[slot] = run;
  }
}

// Global memory to registers: the K-tile at `start` (in vectors) of the runs of a tap row.
fn load(tapRow: u32, start: u32, tile: Tile, lane: u32) {
  let p = parameters;
  let x = tile.x;
  let channelVectors = p.sourceChannels / 4u;
  let columnVectors = p.destinationChannels / 4u;
  for (var slot = 0u; slot < LEFT_SLOTS; slot++) {
    let run = runs[slot];
    let offset = i32(start + (lane + slot * INVOCATIONS) % DEPTH_VECTORS);
    var index = run.base + offset;
    var inside = offset >= run.first && offset < run.last;
    if (!POINTWISE) {
      let row = run.row + i32(tapRow);
      inside = inside && row >= 0 && row < i32(p.sourceHeight);
      index += i32(tapRow * p.sourceWidth * channelVectors);
    }
    stagedLeft[slot] = select(vec4<Scalar>(), source[u32(select(0, index, inside))], inside);
  }
  let kernelRow = tile.y.firstTap + i32(tapRow) * tile.y.tapStep;
  for (var slot = 0u; slot < RIGHT_SLOTS; slot++) {
    let vector = lane + slot * INVOCATIONS;
    var index: u32;
    var inside = vector < RIGHT_VECTORS;
    if (RIGHT_TRANSPOSED) {
      let column = tile.firstColumn + vector / DEPTH_VECTORS;
      let offset = start + vector % DEPTH_VECTORS;
      let tap = select(offset / channelVectors, 0u, POINTWISE);
      let kernelPixel = u32(kernelRow * i32(p.kernelWidth) + x.firstTap + i32(tap) * x.tapStep);
      index = (kernelPixel * p.destinationChannels + column) * channelVectors + offset - tap * channelVectors;
      inside = inside && offset < x.taps * channelVectors && column < p.destinationChannels;
    } else {
      let depth = 4u * start + vector / TILE_COLUMN_VECTORS;
      let column = tile.firstColumn / 4u + vector % TILE_COLUMN_VECTORS;
      index = (u32(kernelRow) * p.kernelWidth * p.sourceChannels + depth) * columnVectors + column;
      inside = inside && depth < x.taps * p.sourceChannels && column < columnVectors;
    }
    stagedRight[slot] = select(vec4<Scalar>(), weights[select(0u, index, inside)], inside);
  }
}

// Registers to workgroup memory.
fn stage(lane: u32) {
  for (var slot = 0u; slot < LEFT_SLOTS; slot++) {
    let vector = lane + slot * INVOCATIONS;
    if (vector < LEFT_VECTORS) {
      leftTile[vector / DEPTH_VECTORS * LEFT_STRIDE + vector % DEPTH_VECTORS] = stagedLeft[slot];
    }
  }
  for (var slot = 0u; slot < RIGHT_SLOTS; slot++) {
    let vector = lane + slot * INVOCATIONS;
    if (vector < RIGHT_VECTORS) {
      rightTile[vector / RIGHT_ROW_VECTORS * RIGHT_STRIDE + vector % RIGHT_ROW_VECTORS] = stagedRight[slot];
    }
  }
}

// Workgroup memory times workgroup memory, a K-tile of one block.
fn multiply(block: u32, sums: ptr<function, array<Sum, FRAGMENTS>>) {
  let firstRow = block / BLOCKS_ACROSS * BLOCK_ROWS;
  let firstColumn = block % BLOCKS_ACROSS * BLOCK_COLUMNS;
  for (var k = 0u; k < select(parameters.depth, DEPTH, UNROLLED); k += MATRIX_DEPTH) {
    var right: array<Right, FRAGMENT_COLUMNS>;
    for (var j = 0u; j < FRAGMENT_COLUMNS; j++) {
      let column = firstColumn + j * MATRIX_COLUMNS;
      right[j] = loadRight(select(k * RIGHT_STRIDE + column / 4u, column * RIGHT_STRIDE + k / 4u, RIGHT_TRANSPOSED));
    }
    for (var i = 0u; i < FRAGMENT_ROWS; i++) {
      let left = loadLeft((firstRow + i * MATRIX_ROWS) * LEFT_STRIDE + k / 4u);
      for (var j = 0u; j < FRAGMENT_COLUMNS; j++) {
        let at = i * FRAGMENT_COLUMNS + j;
        (*sums)[at] = multiplyAdd(left, right[j], (*sums)[at]);
      }
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

// Workgroup memory to the destination: fragment `fragment` of the blocks that this pass computed.
fn finish(tile: Tile, firstBlock: u32, endBlock: u32, fragment: u32, lane: u32) {
  let p = parameters;
  let columnVectors = p.destinationChannels / 4u;
  let partial = tile.split * p.batch * p.destinationHeight * p.destinationWidth;
  for (var vector = lane; vector < (endBlock - firstBlock) * SUM_VECTORS; vector += INVOCATIONS) {
    let block = firstBlock + vector / SUM_VECTORS;
    let row = block / BLOCKS_ACROSS * BLOCK_ROWS + fragment / FRAGMENT_COLUMNS * MATRIX_ROWS + vector % SUM_VECTORS / MATRIX_COLUMN_VECTORS;
    let firstColumn = block % BLOCKS_ACROSS * BLOCK_COLUMNS + fragment % FRAGMENT_COLUMNS * MATRIX_COLUMNS;
    let pixel = tile.firstPixel + row;
    let column = (tile.firstColumn + firstColumn) / 4u + vector % MATRIX_COLUMN_VECTORS;
    if (pixel < tile.pixels && column < columnVectors) {
      let index = (partial + destinationPixelOf(pixel, tile.y, tile.x)) * columnVectors + column;
      var value = sumTile[vector];
      if (AFFINE) {
        value = fma(value, scale[column], shift[column]);
      }
      if (RESIDUAL) {
        value += vec4f(residual[index]);
      }
      if (RELU) {
        // Not max(): that may swallow a NaN.
        value = select(value, vec4f(), value < vec4f());
      }
      destination[index] = vec4<Target>(value);
    }
  }
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  let p = parameters;
  let tile = tileOf(group, grid.x);
  if (tile.firstPixel >= tile.pixels) {
    return;
  }
  findRuns(tile, lane);
  let runVectors = tile.x.taps * p.sourceChannels / 4u;
  let kTilesPerRun = (runVectors + DEPTH_VECTORS - 1u) / DEPTH_VECTORS;
  let firstKTile = tile.split * p.kTilesPerSplit;
  let endKTile = min(firstKTile + p.kTilesPerSplit, tile.y.taps * kTilesPerRun);

  for (var firstBlock = 0u; firstBlock < BLOCKS; firstBlock += subgroups) {
    let block = firstBlock + subgroup;
    // Said in full: without a value, Tint (of Chromium 156) leaves it as it was in the pass before.
    var sums = array<Sum, FRAGMENTS>();
    var tapRow = firstKTile / max(kTilesPerRun, 1u);
    var start = (firstKTile % max(kTilesPerRun, 1u)) * DEPTH_VECTORS;
    for (var kTile = firstKTile; kTile <= endKTile; kTile++) {
      if (kTile < endKTile) {
        load(tapRow, start, tile, lane);
        start += DEPTH_VECTORS;
        if (start >= runVectors) {
          start = 0u;
          tapRow++;
        }
      }
      if (kTile > firstKTile && block < BLOCKS) {
        multiply(block, &sums);
      }
      if (kTile < endKTile) {
        workgroupBarrier();
        stage(lane);
        workgroupBarrier();
      }
    }
    for (var fragment = 0u; fragment < FRAGMENTS; fragment++) {
      if (block < BLOCKS) {
        storeSum(subgroup * SUM_VECTORS, sums[fragment]);
      }
      workgroupBarrier();
      finish(tile, firstBlock, min(firstBlock + subgroups, BLOCKS), fragment, lane);
      workgroupBarrier();
    }
  }
}
