// Convolution, forward or data gradient, without workgroup memory: a workgroup is one subgroup, and source values pass from lane to
// lane. For the mathematics, the merged rows of taps and the phases of the data gradient see convolution-weight-stationary.wgsl; operands,
// parameters, parts and epilogue are those of convolution-tiled.wgsl.
//
// Made for GPUs whose lanes read each other's registers faster than workgroup memory. A subgroup computes ROWS destination
// pixels x 4 * LANES channels: each lane ROWS sums of four channels. The ROWS x DEPTH source values of a K-tile lie once in the
// subgroup's registers, LANES vectors side by side, loaded an iteration ahead; each is shuffled to all lanes when its turn comes. Weights
// go from global memory straight into the lanes that use them, neighbouring lanes reading neighbouring vectors. No barriers.
//
// Library: convolution-parameters.wgsl.
// Dispatch: as convolution-tiled.wgsl with tiles of ROWS x 4 * LANES.
// Needs: subgroups of exactly LANES invocations; source and destination channels in multiples of four.
// Constants: DATA_GRADIENT, AFFINE, RESIDUAL, RELU, POINTWISE; LANES = subgroup size; ROWS, DEPTH with ROWS * DEPTH a multiple of 4 * LANES;
//   UNROLLED as in convolution-tiled.wgsl.

@group(0) @binding(1) var<storage, read_write> source: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> destination: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> scale: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> shift: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> residual: array<vec4f>;

const DEPTH_VECTORS = DEPTH / 4u;
const SLOTS = ROWS * DEPTH_VECTORS / LANES;

// Where a staged vector comes from: the run of taps of its pixel begins at `base`, in source row `row`, and is inside the
// image between the offsets `first` and `last`. All in vectors.
struct Run {
  base: i32,
  row: i32,
  first: i32,
  last: i32,
}

var<private> runs: array<Run, SLOTS>;
// This lane's share of the K-tile that is multiplied, and of the one that is on its way.
var<private> fragment: array<vec4f, SLOTS>;
var<private> coming: array<vec4f, SLOTS>;
var<private> sums: array<vec4f, ROWS>;

fn load(tapRow: u32, start: u32, lane: u32) {
  let channelVectors = parameters.sourceChannels / 4u;
  for (var slot = 0u; slot < SLOTS; slot++) {
    let run = runs[slot];
    let offset = i32(start + (lane + slot * LANES) % DEPTH_VECTORS);
    var index = run.base + offset;
    var inside = offset >= run.first && offset < run.last;
    if (!POINTWISE) {
      let row = run.row + i32(tapRow);
      inside = inside && row >= 0 && row < i32(parameters.sourceHeight);
      index += i32(tapRow * parameters.sourceWidth * channelVectors);
    }
    coming[slot] = select(vec4f(), source[u32(select(0, index, inside))], inside);
  }
}

// Weights of four depths from `offset` (in vectors) of a run on, for four channels.
fn weightBlock(tapRow: u32, offset: u32, y: Axis, x: Axis, column: u32) -> mat4x4f {
  let channelVectors = parameters.sourceChannels / 4u;
  let columnVectors = parameters.destinationChannels / 4u;
  let kernelRow = y.firstTap + i32(tapRow) * y.tapStep;
  let inside = offset < x.taps * channelVectors && column < columnVectors;
  var index: u32;
  var stride: u32;
  if (DATA_GRADIENT) {
    let tap = select(offset / channelVectors, 0u, POINTWISE);
    let kernelPixel = u32(kernelRow * i32(parameters.kernelWidth) + x.firstTap + i32(tap) * x.tapStep);
    index = (kernelPixel * parameters.destinationChannels + 4u * column) * channelVectors + offset - tap * channelVectors;
    stride = channelVectors;
  } else {
    index = (u32(kernelRow) * parameters.kernelWidth * parameters.sourceChannels + 4u * offset) * columnVectors + column;
    stride = columnVectors;
  }
  var block: mat4x4f;
  for (var i = 0u; i < 4u; i++) {
    block[i] = select(vec4f(), weights[select(0u, index + i * stride, inside)], inside);
  }
  return block;
}

// Every lane takes the source vectors of all rows from the lanes that hold them.
fn multiply(tapRow: u32, start: u32, y: Axis, x: Axis, column: u32) {
  for (var k = 0u; k < select(parameters.depth / 4u, DEPTH_VECTORS, UNROLLED); k++) {
    var block = weightBlock(tapRow, start + k, y, x, column);
    if (DATA_GRADIENT) {
      block = transpose(block);
    }
    for (var r = 0u; r < ROWS; r++) {
      let vector = r * DEPTH_VECTORS + k;
      let a = subgroupShuffle(fragment[vector / LANES], vector % LANES);
      var sum = sums[r];
      sum = fma(vec4f(a.x), block[0], sum);
      sum = fma(vec4f(a.y), block[1], sum);
      sum = fma(vec4f(a.z), block[2], sum);
      sums[r] = fma(vec4f(a.w), block[3], sum);
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let p = parameters;
  let phases = select(1u, p.strideY * p.strideX, DATA_GRADIENT);
  let phase = group.z % phases;
  let split = group.z / phases;
  let y = axis(p.destinationHeight, p.kernelHeight, p.strideY, p.paddingY, phase / p.strideX);
  let x = axis(p.destinationWidth, p.kernelWidth, p.strideX, p.paddingX, phase % p.strideX);
  let pixels = p.batch * y.pixels * x.pixels;
  let columnTiles = (p.destinationChannels + 4u * LANES - 1u) / (4u * LANES);
  let tile = group.x + group.y * grid.x;
  let firstPixel = (tile / columnTiles) * ROWS;
  let column = (tile % columnTiles) * LANES + lane;
  if (firstPixel >= pixels) {
    return;
  }
  let channelVectors = i32(p.sourceChannels / 4u);
  let runVectors = x.taps * p.sourceChannels / 4u;

  for (var slot = 0u; slot < SLOTS; slot++) {
    let vector = lane + slot * LANES;
    let pixel = firstPixel + vector / DEPTH_VECTORS;
    var run: Run;
    if (POINTWISE) {
      run = Run(i32(pixel) * channelVectors, 0, 0, channelVectors);
    } else {
      let image = i32(pixel / (x.pixels * y.pixels));
      let row = y.origin + i32((pixel / x.pixels) % y.pixels) * y.stride;
      let column = x.origin + i32(pixel % x.pixels) * x.stride;
      let base = ((image * i32(p.sourceHeight) + row) * i32(p.sourceWidth) + column) * channelVectors;
      run = Run(base, row, -column * channelVectors, min(i32(runVectors), (i32(p.sourceWidth) - column) * channelVectors));
    }
    if (pixel >= pixels) {
      run.last = run.first;
    }
    runs[slot] = run;
  }

  let kTilesPerRun = (runVectors + DEPTH_VECTORS - 1u) / DEPTH_VECTORS;
  let firstKTile = split * p.kTilesPerSplit;
  let endKTile = min(firstKTile + p.kTilesPerSplit, y.taps * kTilesPerRun);
  var tapRow = firstKTile / max(kTilesPerRun, 1u);
  var start = (firstKTile % max(kTilesPerRun, 1u)) * DEPTH_VECTORS;
  if (firstKTile < endKTile) {
    load(tapRow, start, lane);
  }
  for (var kTile = firstKTile; kTile < endKTile; kTile++) {
    fragment = coming;
    let row = tapRow;
    let first = start;
    start += DEPTH_VECTORS;
    if (start >= runVectors) {
      start = 0u;
      tapRow++;
    }
    if (kTile + 1u < endKTile) {
      load(tapRow, start, lane);
    }
    multiply(row, first, y, x, column);
  }

  let columnVectors = p.destinationChannels / 4u;
  let partial = split * p.batch * p.destinationHeight * p.destinationWidth;
  var factor: vec4f;
  var offset: vec4f;
  if (AFFINE) {
    factor = scale[min(column, columnVectors - 1u)];
    offset = shift[min(column, columnVectors - 1u)];
  }
  for (var r = 0u; r < ROWS; r++) {
    let pixel = firstPixel + r;
    var destinationPixel = pixel;
    if (!POINTWISE) {
      let image = pixel / (x.pixels * y.pixels);
      let placeY = y.phase + ((pixel / x.pixels) % y.pixels) * y.step;
      let placeX = x.phase + (pixel % x.pixels) * x.step;
      destinationPixel = (image * p.destinationHeight + placeY) * p.destinationWidth + placeX;
    }
    if (pixel < pixels && column < columnVectors) {
      let index = (partial + destinationPixel) * columnVectors + column;
      var value = sums[r];
      if (AFFINE) {
        value = fma(value, factor, offset);
      }
      if (RESIDUAL) {
        value += residual[index];
      }
      if (RELU) {
        // Not max(): that may swallow a NaN.
        value = select(value, vec4f(), value < vec4f());
      }
      destination[index] = value;
    }
  }
}
