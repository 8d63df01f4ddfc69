// Convolution like convolution-weight-stationary.wgsl, number by number: for channels that are no multiples of four. Mathematics, operands
// and epilogue are the same, and so is the structure, but for two things: each run of taps is filled up to a multiple of LANES, and
// every K-tile visits all pixels.
//
// Library: convolution-parameters.wgsl.
// Dispatch: [phases * ceil(pixels of the largest phase / pixelsPerGroup), ceil(destinationChannels / (LANES * columns))]
//   with stride.y * stride.x phases for the data gradient and 1 for the forward pass.
// Constants: DATA_GRADIENT, AFFINE, RESIDUAL, RELU; LANES = subgroup size, 8; DEPTH, a multiple of LANES up to
//   8 * LANES; WIDE: a lane has eight columns, not four: `columns`.

@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> destination: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> shift: array<f32>;
@group(0) @binding(6) var<storage, read_write> residual: array<f32>;

// The block of weights, in rows of two: where WIDE, row k holds the weights that meet element k of a K-tile, of the first half
// of the columns in `low` and the second in `high`; else those of elements 2k and 2k + 1. The row behind the last is for the
// sums of a pixel: passed through memory, they are complete before the first lane of the first store looks at its bounds.
const ROWS = select(DEPTH / 2u, DEPTH, WIDE);
var<private> low: array<vec4f, ROWS + 1u>;
var<private> high: array<vec4f, ROWS + 1u>;
var<private> lowSum: vec4f;
var<private> highSum: vec4f;
// Of the finished quarters of a K-tile: one sum of 64 products would have twice the error of four sums of 16.
var<private> lowTotal: vec4f;
var<private> highTotal: vec4f;

fn multiplyAdd(lowValue: f32, highValue: f32, row: u32) {
  lowSum = fma(vec4f(lowValue), low[row], lowSum);
  highSum = fma(vec4f(highValue), high[row], highSum);
}

const LOADS = DEPTH / LANES;
// This lane's share of a K-tile of source values. All are loaded before the first is used: a load ends a basic block.
var<private> values: array<f32, LOADS>;

fn accumulateQuarter() {
  lowTotal += lowSum;
  highTotal += highSum;
  lowSum = vec4f();
  highSum = vec4f();
}

// Of a pair of elements of a K-tile.
fn multiplyAddPair(first: f32, second: f32, element: u32) {
  if (WIDE) {
    multiplyAdd(first, first, element);
    multiplyAdd(second, second, element + 1u);
  } else {
    multiplyAdd(first, second, element / 2u);
  }
}

fn accumulate(i: u32) {
  if (i < LOADS) {
    let value = values[i];
    let element = i * LANES;
    if (i % max(LOADS / 4u, 1u) == 0u) {
      accumulateQuarter();
    }
    multiplyAddPair(subgroupBroadcast(value, 0u), subgroupBroadcast(value, 1u), element);
    multiplyAddPair(subgroupBroadcast(value, 2u), subgroupBroadcast(value, 3u), element + 2u);
    multiplyAddPair(subgroupBroadcast(value, 4u), subgroupBroadcast(value, 5u), element + 4u);
    multiplyAddPair(subgroupBroadcast(value, 6u), subgroupBroadcast(value, 7u), element + 6u);
  }
}

// Of all pixels: which of LANES consecutive values is ours, the length of a run, the way from the last values of a run to
// the first of the next.
var<private> lane: i32;
var<private> runLength: i32;
var<private> nextRun: i32;
// Of one pixel: between which offsets its runs are inside the source, and the source row behind its last run.
var<private> firstOffset: i32;
var<private> lastOffset: i32;
var<private> lastRow: u32;
// The value to be loaded next: its place, its offset in its run, and the source row of that.
var<private> index: i32;
var<private> offset: i32;
var<private> row: i32;

fn load(i: u32) {
  if (i < LOADS) {
    let inside = offset >= firstOffset && offset < lastOffset && u32(row) < lastRow;
    values[i] = select(0.0, source[u32(select(0, index, inside))], inside);
    let ends = offset - lane + i32(LANES) >= runLength;
    index += select(i32(LANES), nextRun, ends);
    row += select(0, 1, ends);
    offset = select(offset + i32(LANES), lane, ends);
  }
}

fn weight(index: u32, inside: bool) -> f32 {
  return select(0.0, weights[select(0u, index, inside)], inside);
}

// Adds a sum to what earlier K-tiles have left; the last K-tile applies the epilogue.
fn store(sum: f32, place: u32, column: u32, isFirst: bool, isLast: bool) {
  var value = sum;
  if (!isFirst) {
    value += destination[place];
  }
  if (isLast) {
    if (AFFINE) {
      value = fma(value, scale[column], shift[column]);
    }
    if (RESIDUAL) {
      value += residual[place];
    }
    if (RELU) {
      // Not max(): that may swallow a NaN.
      value = select(value, 0.0, value < 0.0);
    }
  }
  destination[place] = value;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
  lane = i32(invocation);
  let p = parameters;
  let phases = select(1u, p.strideY * p.strideX, DATA_GRADIENT);
  let phase = group.x % phases;
  let y = axis(p.destinationHeight, p.kernelHeight, p.strideY, p.paddingY, phase / p.strideX);
  let x = axis(p.destinationWidth, p.kernelWidth, p.strideX, p.paddingX, phase % p.strideX);
  let pixels = p.batch * y.pixels * x.pixels;
  let firstPixel = group.x / phases * p.pixelsPerGroup;
  let lastPixel = min(firstPixel + p.pixelsPerGroup, pixels);
  let firstColumn = group.y * LANES * p.columns + invocation;
  let channels = i32(p.sourceChannels);
  let run = x.taps * p.sourceChannels;
  // Where no tap meets the phase there is nothing to load, and one K-tile without loads stores its zeros.
  let runLoads = (run + LANES - 1u) / LANES;
  let loads = y.taps * runLoads;
  let kTiles = max((loads + LOADS - 1u) / LOADS, 1u);
  runLength = i32(run);
  nextRun = i32(p.sourceWidth) * channels - (i32(runLoads) - 1) * i32(LANES);

  for (var kTile = 0u; kTile < kTiles; kTile++) {
    let firstTapY = kTile * LOADS / max(runLoads, 1u);
    let firstK = kTile * LOADS % max(runLoads, 1u) * LANES;
    var tapY = firstTapY;
    var offsetInRun = firstK;
    var tapX = firstK / p.sourceChannels;
    var channel = firstK % p.sourceChannels;
    for (var k = 0u; k < p.depth && loads > 0u; k++) {
      let kernelRow = y.firstTap + i32(tapY) * y.tapStep;
      let kernelPixel = u32(kernelRow * i32(p.kernelWidth) + x.firstTap + i32(tapX) * x.tapStep);
      var place = (kernelPixel * p.sourceChannels + channel) * p.destinationChannels + firstColumn;
      var columnStep = LANES;
      if (DATA_GRADIENT) {
        place = (kernelPixel * p.destinationChannels + firstColumn) * p.sourceChannels + channel;
        columnStep = LANES * p.sourceChannels;
      }
      let valid = tapX < x.taps && tapY < y.taps;
      var lowRow = vec4f();
      var highRow = vec4f();
      for (var c = 0u; c < 4u; c++) {
        lowRow[c] = weight(place + c * columnStep, valid && firstColumn + c * LANES < p.destinationChannels);
        if (WIDE) {
          let d = c + 4u;
          highRow[c] = weight(place + d * columnStep, valid && firstColumn + d * LANES < p.destinationChannels);
        }
      }
      if (WIDE) {
        low[k] = lowRow;
        high[k] = highRow;
      } else if (k % 2u == 0u) {
        low[k / 2u] = lowRow;
      } else {
        high[k / 2u] = lowRow;
      }
      channel++;
      if (channel == p.sourceChannels) {
        channel = 0u;
        tapX++;
      }
      offsetInRun++;
      if (offsetInRun == runLoads * LANES) {
        offsetInRun = 0u;
        channel = 0u;
        tapX = 0u;
        tapY++;
      }
    }

    let isFirst = kTile == 0u;
    let isLast = kTile + 1u == kTiles;
    // Pixels are visited in row-major order; counting on is cheaper than dividing at each.
    var pixelX = firstPixel % x.pixels;
    var pixelY = (firstPixel / x.pixels) % y.pixels;
    var image = firstPixel / (x.pixels * y.pixels);
    for (var pixel = firstPixel; pixel < lastPixel; pixel++) {
      lowSum = vec4f();
      highSum = vec4f();
      lowTotal = vec4f();
      highTotal = vec4f();
      if (loads > 0u) {
        let sourceY = y.origin + i32(pixelY) * y.stride;
        let sourceX = x.origin + i32(pixelX) * x.stride;
        firstOffset = -sourceX * channels;
        lastOffset = min(runLength, (i32(p.sourceWidth) - sourceX) * channels);
        lastRow = u32(max(min(i32(p.sourceHeight), sourceY + i32(y.taps)), 0));
        offset = i32(firstK) + lane;
        row = sourceY + i32(firstTapY);
        index = ((i32(image * p.sourceHeight) + row) * i32(p.sourceWidth) + sourceX) * channels + offset;
        load(0u);
        load(1u);
        load(2u);
        load(3u);
        load(4u);
        load(5u);
        load(6u);
        load(7u);
        accumulate(0u);
        accumulate(1u);
        accumulate(2u);
        accumulate(3u);
        accumulate(4u);
        accumulate(5u);
        accumulate(6u);
        accumulate(7u);
      }
      accumulateQuarter();
      low[ROWS] = select(lowTotal + highTotal, lowTotal, WIDE);
      high[ROWS] = highTotal;

      let destinationY = y.phase + pixelY * y.step;
      let destinationX = x.phase + pixelX * x.step;
      let place = ((image * p.destinationHeight + destinationY) * p.destinationWidth + destinationX) * p.destinationChannels + firstColumn;
      if ((group.y + 1u) * LANES * p.columns <= p.destinationChannels) {
        for (var c = 0u; c < 4u; c++) {
          store(low[ROWS][c], place + c * LANES, firstColumn + c * LANES, isFirst, isLast);
          if (WIDE) {
            let d = c + 4u;
            store(high[ROWS][c], place + d * LANES, firstColumn + d * LANES, isFirst, isLast);
          }
        }
      } else {
        // The last columns of a width that the lanes do not divide.
        for (var c = 0u; c < p.columns; c++) {
          let column = firstColumn + c * LANES;
          if (column < p.destinationChannels) {
            var sum = low[ROWS][c % 4u];
            if (WIDE && c >= 4u) {
              sum = high[ROWS][c % 4u];
            }
            store(sum, place + c * LANES, column, isFirst, isLast);
          }
        }
      }

      pixelX++;
      if (pixelX == x.pixels) {
        pixelX = 0u;
        pixelY++;
        if (pixelY == y.pixels) {
          pixelY = 0u;
          image++;
        }
      }
    }
  }
}
