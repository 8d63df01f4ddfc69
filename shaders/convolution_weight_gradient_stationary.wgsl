// Weight gradient of a convolution, with a tile of it held still in each invocation's registers.
//
//   dw[kh, kw, i, o] = sum over n, u, v of  x[n, u*stride - padding + kh, v*stride - padding + kw, i] * dy[n, u, v, o]
//
// For each kernel row kh the pairs (kw, i) lie one after the other in NHWC memory, so that dw[kh] is a matrix product:
// (kernelWidth * inputChannels) x pixels times pixels x outputChannels, with a small result and a huge reduction. The
// pixels are split over workgroups; each part's sum is added in fixed order by sum_parts.wgsl.
//
// Made for processors that execute a subgroup as one vector (SwiftShader, lavapipe), see convolution_stationary.wgsl: a
// workgroup is one subgroup and keeps ROWS x (LANES * COLUMNS) sums in registers; each pixel costs ROWS / LANES loads of
// x, shared by broadcasts, and COLUMNS loads of dy.
//
// x     [batch, height, width, inputChannels] f32
// dy    [batch, outputHeight, outputWidth, outputChannels] f32
// parts [splits, kernelHeight, kernelWidth, inputChannels, outputChannels] f32
// Dispatch: [splits, ceil(outputChannels / (LANES * COLUMNS)), kernelHeight * ceil(kernelWidth * inputChannels / ROWS)].
// Constants: LANES = subgroup size (4 or 8); ROWS, a multiple of LANES up to 32; COLUMNS 2 or 4, Columns = vecCOLUMNSf.

struct Parameters {
  batch: u32,
  height: u32,
  width: u32,
  inputChannels: u32,
  outputHeight: u32,
  outputWidth: u32,
  outputChannels: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  paddingY: u32,
  paddingX: u32,
  pixelsPerSplit: u32,
  // ROWS once more, unknown to the compiler, so that it does not unroll the loop that stores.
  rows: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

var<private> sums: array<Columns, ROWS>;
var<private> lane: u32;
var<private> runStart: u32;
// Of the current pixel: where its run of x begins, and between which offsets it is inside the image's row.
var<private> runBase: i32;
var<private> runFirst: i32;
var<private> runLast: i32;

fn load(row: u32) -> f32 {
  let offset = i32(runStart + row + lane);
  let inside = offset >= runFirst && offset < runLast;
  return select(0.0, x[u32(select(0, runBase + offset, inside))], inside);
}

// Adds the products of LANES values of x, one in each lane, with this lane's columns of dy.
fn step(row: u32, gradient: Columns) {
  if (row < ROWS) {
    let value = load(row);
    sums[row] = fma(Columns(subgroupBroadcast(value, 0u)), gradient, sums[row]);
    sums[row + 1u] = fma(Columns(subgroupBroadcast(value, 1u)), gradient, sums[row + 1u]);
    sums[row + 2u] = fma(Columns(subgroupBroadcast(value, 2u)), gradient, sums[row + 2u]);
    sums[row + 3u] = fma(Columns(subgroupBroadcast(value, 3u)), gradient, sums[row + 3u]);
    if (LANES > 4u) {
      let second = min(row + 4u, ROWS - 4u);
      sums[second] = fma(Columns(subgroupBroadcast(value, 4u)), gradient, sums[second]);
      sums[second + 1u] = fma(Columns(subgroupBroadcast(value, 5u)), gradient, sums[second + 1u]);
      sums[second + 2u] = fma(Columns(subgroupBroadcast(value, 6u)), gradient, sums[second + 2u]);
      sums[second + 3u] = fma(Columns(subgroupBroadcast(value, 7u)), gradient, sums[second + 3u]);
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
  lane = invocation;
  let p = parameters;
  let runLength = p.kernelWidth * p.inputChannels;
  let rowTiles = (runLength + ROWS - 1u) / ROWS;
  let kernelRow = group.z / rowTiles;
  runStart = (group.z % rowTiles) * ROWS;
  let firstColumn = group.y * LANES * COLUMNS + lane;
  let pixels = p.batch * p.outputHeight * p.outputWidth;
  let firstPixel = group.x * p.pixelsPerSplit;
  let lastPixel = min(firstPixel + p.pixelsPerSplit, pixels);
  let channels = i32(p.inputChannels);

  // Pixels are visited in row-major order; counting on is cheaper than dividing at each.
  var pixelX = firstPixel % p.outputWidth;
  var pixelY = (firstPixel / p.outputWidth) % p.outputHeight;
  var image = firstPixel / (p.outputWidth * p.outputHeight);
  for (var pixel = firstPixel; pixel < lastPixel; pixel++) {
    let sourceY = i32(pixelY * p.strideY + kernelRow) - i32(p.paddingY);
    let sourceX = i32(pixelX * p.strideX) - i32(p.paddingX);
    // Rows of x outside the image are padding: nothing to add.
    if (sourceY >= 0 && sourceY < i32(p.height)) {
      runBase = ((i32(image * p.height) + sourceY) * i32(p.width) + sourceX) * channels;
      runFirst = -sourceX * channels;
      runLast = min(i32(runLength), (i32(p.width) - sourceX) * channels);
      let place = pixel * p.outputChannels + firstColumn;
      var gradient: Columns;
      for (var c = 0u; c < COLUMNS; c++) {
        let inside = firstColumn + c * LANES < p.outputChannels;
        gradient[c] = select(0.0, dy[select(0u, place + c * LANES, inside)], inside);
      }
      step(0u, gradient);
      step(LANES, gradient);
      step(2u * LANES, gradient);
      step(3u * LANES, gradient);
      step(4u * LANES, gradient);
      step(5u * LANES, gradient);
      step(6u * LANES, gradient);
      step(7u * LANES, gradient);
    }
    pixelX++;
    if (pixelX == p.outputWidth) {
      pixelX = 0u;
      pixelY++;
      if (pixelY == p.outputHeight) {
        pixelY = 0u;
        image++;
      }
    }
  }

  let partSize = p.kernelHeight * runLength * p.outputChannels;
  for (var row = 0u; row < p.rows; row++) {
    let offset = runStart + row;
    let place = group.x * partSize + (kernelRow * runLength + offset) * p.outputChannels + firstColumn;
    for (var c = 0u; c < COLUMNS; c++) {
      if (offset < runLength && firstColumn + c * LANES < p.outputChannels) {
        parts[place + c * LANES] = sums[row][c];
      }
    }
  }
}
