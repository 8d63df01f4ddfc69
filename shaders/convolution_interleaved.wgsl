// Convolution, forward or data gradient, with a block of weights held still, loads between the arithmetic: for SwiftShader where
// channels are no multiples of four. Its compiler takes minutes over the scalar loads of convolution_stationary_scalar.wgsl.
//
//   forward         y[n, u, v, o]  = sum over kh, kw, i of  x[n, u*stride - padding + kh, v*stride - padding + kw, i] * w[kh, kw, i, o]
//   data gradient  dx[n, h, w, i]  = sum over kh, kw, o of dy[n, (h + padding - kh) / stride, (w + padding - kw) / stride, o] * w[kh, kw, i, o]
//                                    where the divisions leave no rest
//
// Both gather a source (x or dy) into a destination (y or dx). With the destination split into stride x stride phases,
// the source pixels of one destination pixel are consecutive in the data gradient too, so that one kernel serves both:
// see convolution_axis.wgsl. Rows of taps are merged: for each kernel row, taps x source channels lie one after the other in NHWC
// memory, and form the reduction of a matrix product whose rows are destination pixels.
//
// Made for processors that execute a subgroup as one vector: a load is a loop over the lanes, and workgroup memory is no
// faster than the rest. So a workgroup is one subgroup; it keeps
// DEPTH x (LANES * COLUMNS) weights in registers and streams destination pixels past them; each load of LANES consecutive
// source values is shared by broadcasts.
//
// source       [batch, sourceHeight, sourceWidth, sourceChannels] f32
// weights      [kernelHeight, kernelWidth, inputChannels, outputChannels] f32 (as in the forward pass, for both)
// destination  [batch, destinationHeight, destinationWidth, destinationChannels] f32
// scale, shift [destinationChannels] f32 where AFFINE; residual like destination where RESIDUAL
// Epilogue: destination = relu?(sum * scale + shift + residual).
// Dispatch: [ceil(pixels of the largest phase / pixelsPerGroup), ceil(destinationChannels / (LANES * COLUMNS)), phases]
//   with stride.y * stride.x phases for the data gradient and 1 for the forward pass.
// Constants: DATA_GRADIENT, AFFINE, RESIDUAL, RELU; LANES = subgroup size (4 or 8); DEPTH, a multiple of LANES up to 128;
//   COLUMNS 2 or 4, Columns = vecCOLUMNSf.

struct Parameters {
  batch: u32,
  sourceHeight: u32,
  sourceWidth: u32,
  sourceChannels: u32,
  destinationHeight: u32,
  destinationWidth: u32,
  destinationChannels: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  paddingY: u32,
  paddingX: u32,
  pixelsPerGroup: u32,
  // DEPTH once more: where the compiler does not know it, it leaves the loop that fills the block a loop. Unrolled, its loads
  // make compilation on lavapipe six times longer.
  depth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> destination: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> shift: array<f32>;
@group(0) @binding(6) var<storage, read_write> residual: array<f32>;

var<private> block: array<Columns, DEPTH>;
// Four running sums a column, so that consecutive multiply-adds do not wait for each other.
var<private> sum0: Columns;
var<private> sum1: Columns;
var<private> sum2: Columns;
var<private> sum3: Columns;

// Adds the products of LANES source values, one in each lane, with the rows of the block from k on.
fn accumulate(value: f32, k: u32) {
  sum0 = fma(Columns(subgroupBroadcast(value, 0u)), block[k], sum0);
  sum1 = fma(Columns(subgroupBroadcast(value, 1u)), block[k + 1u], sum1);
  sum2 = fma(Columns(subgroupBroadcast(value, 2u)), block[k + 2u], sum2);
  sum3 = fma(Columns(subgroupBroadcast(value, 3u)), block[k + 3u], sum3);
  if (LANES > 4u) {
    sum0 = fma(Columns(subgroupBroadcast(value, 4u)), block[min(k + 4u, DEPTH - 1u)], sum0);
    sum1 = fma(Columns(subgroupBroadcast(value, 5u)), block[min(k + 5u, DEPTH - 1u)], sum1);
    sum2 = fma(Columns(subgroupBroadcast(value, 6u)), block[min(k + 6u, DEPTH - 1u)], sum2);
    sum3 = fma(Columns(subgroupBroadcast(value, 7u)), block[min(k + 7u, DEPTH - 1u)], sum3);
  }
}

// What a lane needs to load its share of a run of taps, the same for all destination pixels.
var<private> lane: u32;
var<private> runStart: u32;
// Of the current destination pixel: where its run begins in the source, and between which offsets it is inside the row.
var<private> runBase: i32;
var<private> runFirst: i32;
var<private> runLast: i32;

fn load(k: u32) -> f32 {
  let offset = i32(runStart + k + lane);
  let inside = offset >= runFirst && offset < runLast;
  return select(0.0, source[u32(select(0, runBase + offset, inside))], inside);
}

fn step(k: u32) {
  if (k < DEPTH) {
    accumulate(load(k), k);
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
  lane = invocation;
  let p = parameters;
  let y = axis(p.destinationHeight, p.kernelHeight, p.strideY, p.paddingY, group.z / p.strideX);
  let x = axis(p.destinationWidth, p.kernelWidth, p.strideX, p.paddingX, group.z % p.strideX);
  let pixels = p.batch * y.pixels * x.pixels;
  let firstPixel = group.x * p.pixelsPerGroup;
  let lastPixel = min(firstPixel + p.pixelsPerGroup, pixels);
  let firstColumn = group.y * LANES * COLUMNS + lane;
  let runLength = x.taps * p.sourceChannels;
  let runs = max(y.taps, 1u);
  let chunks = max((runLength + DEPTH - 1u) / DEPTH, 1u);

  for (var chunk = 0u; chunk < runs * chunks; chunk++) {
    let tapY = chunk / chunks;
    runStart = (chunk % chunks) * DEPTH;
    let kernelRow = y.firstTap + i32(tapY) * y.tapStep;
    var tap = runStart / p.sourceChannels;
    var channel = runStart % p.sourceChannels;
    for (var k = 0u; k < p.depth; k++) {
      let kernelPixel = u32(kernelRow * i32(p.kernelWidth) + x.firstTap + i32(tap) * x.tapStep);
      let valid = tap < x.taps && y.taps > 0u;
      for (var c = 0u; c < COLUMNS; c++) {
        let column = firstColumn + c * LANES;
        var index = (kernelPixel * p.sourceChannels + channel) * p.destinationChannels + column;
        if (DATA_GRADIENT) {
          index = (kernelPixel * p.destinationChannels + column) * p.sourceChannels + channel;
        }
        let inside = valid && column < p.destinationChannels;
        block[k][c] = select(0.0, weights[select(0u, index, inside)], inside);
      }
      channel++;
      if (channel == p.sourceChannels) {
        channel = 0u;
        tap++;
      }
    }

    let firstChunk = chunk == 0u;
    let lastChunk = chunk + 1u == runs * chunks;
    // Pixels are visited in row-major order; counting on is cheaper than dividing at each.
    var pixelX = firstPixel % x.pixels;
    var pixelY = (firstPixel / x.pixels) % y.pixels;
    var image = firstPixel / (x.pixels * y.pixels);
    for (var pixel = firstPixel; pixel < lastPixel; pixel++) {
      let sourceY = y.origin + i32(pixelY) * y.stride + i32(tapY);
      let sourceX = x.origin + i32(pixelX) * x.stride;
      let channels = i32(p.sourceChannels);
      runBase = ((i32(image * p.sourceHeight) + sourceY) * i32(p.sourceWidth) + sourceX) * channels;
      runFirst = -sourceX * channels;
      runLast = min(i32(runLength), (i32(p.sourceWidth) - sourceX) * channels);
      if (sourceY < 0 || sourceY >= i32(p.sourceHeight)) {
        runLast = runFirst;
      }

      sum0 = Columns();
      sum1 = Columns();
      sum2 = Columns();
      sum3 = Columns();
      step(0u);
      step(LANES);
      step(2u * LANES);
      step(3u * LANES);
      step(4u * LANES);
      step(5u * LANES);
      step(6u * LANES);
      step(7u * LANES);
      step(8u * LANES);
      step(9u * LANES);
      step(10u * LANES);
      step(11u * LANES);
      step(12u * LANES);
      step(13u * LANES);
      step(14u * LANES);
      step(15u * LANES);

      let place = ((image * p.destinationHeight + y.phase + pixelY * y.step) * p.destinationWidth + x.phase + pixelX * x.step) * p.destinationChannels + firstColumn;
      let sum = (sum0 + sum1) + (sum2 + sum3);
      for (var c = 0u; c < COLUMNS; c++) {
        let column = firstColumn + c * LANES;
        if (column < p.destinationChannels) {
          let index = place + c * LANES;
          var value = sum[c];
          if (!firstChunk) {
            value += destination[index];
          }
          if (lastChunk) {
            if (AFFINE) {
              value = fma(value, scale[column], shift[column]);
            }
            if (RESIDUAL) {
              value += residual[index];
            }
            if (RELU) {
              value = max(value, 0.0);
            }
          }
          destination[index] = value;
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
