// Convolution, forward or data gradient, by tiles in workgroup memory. For the mathematics, the merged rows of taps and the
// phases of the data gradient see convolution-weight-stationary.wgsl; operands, parameters and epilogue are the same.
//
// Made for GPUs, for channels that are not multiples of four; where they are, convolution-tiled.wgsl loads four at once. A
// workgroup of SIDE x SIDE invocations computes a tile of 4*SIDE destination pixels x 4*SIDE channels, 4 x 4 an invocation.
// The reduction advances by SIDE: both factors' tiles are staged in workgroup memory as vectors of four pixels and of four
// channels, so that an inner step is two vector reads and sixteen multiply-adds.
//
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(pixels of the largest phase / (4*SIDE)), ceil(destinationChannels / (4*SIDE)), phases].
// Limits: SIDE*SIDE invocations (256 for SIDE 16), 32*SIDE*SIDE bytes of workgroup memory.
// Constants: DATA_GRADIENT, AFFINE, RESIDUAL, RELU; SIDE 8 or 16.

@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> destination: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> shift: array<f32>;
@group(0) @binding(6) var<storage, read_write> residual: array<f32>;

// [depth][group of four pixels] and [depth][group of four channels].
var<workgroup> sourceTile: array<vec4f, SIDE * SIDE>;
var<workgroup> weightTile: array<vec4f, SIDE * SIDE>;

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let p = parameters;
  let y = axis(p.destinationHeight, p.kernelHeight, p.strideY, p.paddingY, group.z / p.strideX);
  let x = axis(p.destinationWidth, p.kernelWidth, p.strideX, p.paddingX, group.z % p.strideX);
  let pixels = p.batch * y.pixels * x.pixels;
  let firstPixel = group.x * 4u * SIDE;
  let firstColumn = group.y * 4u * SIDE;
  let channels = i32(p.sourceChannels);
  let runLength = x.taps * p.sourceChannels;

  // This invocation stages four pixels, at one depth; neighbours stage neighbouring channels of the same pixels.
  var sourceY: vec4i;
  var sourceX: vec4i;
  var sourceRow: vec4i;
  for (var i = 0u; i < 4u; i++) {
    let pixel = firstPixel + local.y * 4u + i;
    let image = pixel / (x.pixels * y.pixels);
    sourceY[i] = y.origin + i32((pixel / x.pixels) % y.pixels) * y.stride;
    sourceX[i] = x.origin + i32(pixel % x.pixels) * x.stride;
    sourceRow[i] = i32(image * p.sourceHeight);
    if (pixel >= pixels) {
      sourceY[i] = -i32(p.kernelHeight); // outside for every tap
    }
  }

  var sums: array<vec4f, 4>;
  for (var tapY = 0u; tapY < y.taps; tapY++) {
    let kernelRow = y.firstTap + i32(tapY) * y.tapStep;
    for (var start = 0u; start < runLength; start += SIDE) {
      var staged: vec4f;
      let offset = i32(start + local.x);
      for (var i = 0u; i < 4u; i++) {
        let row = sourceY[i] + i32(tapY);
        let inside = row >= 0 && row < i32(p.sourceHeight) && offset < i32(runLength)
          && offset >= -sourceX[i] * channels && offset < (i32(p.sourceWidth) - sourceX[i]) * channels;
        let index = ((sourceRow[i] + row) * i32(p.sourceWidth) + sourceX[i]) * channels + offset;
        staged[i] = select(0.0, source[u32(select(0, index, inside))], inside);
      }
      // Weights lie along the destination's channels in the forward pass and along the source's in the data gradient;
      // neighbouring invocations follow them.
      let depth = select(local.y, local.x, DATA_GRADIENT);
      let columns = firstColumn + 4u * select(local.x, local.y, DATA_GRADIENT);
      let weightOffset = start + depth;
      let tap = weightOffset / p.sourceChannels;
      let channel = weightOffset % p.sourceChannels;
      let kernelPixel = u32(kernelRow * i32(p.kernelWidth) + x.firstTap + i32(tap) * x.tapStep);
      var weight: vec4f;
      for (var i = 0u; i < 4u; i++) {
        let column = columns + i;
        var index = (kernelPixel * p.sourceChannels + channel) * p.destinationChannels + column;
        if (DATA_GRADIENT) {
          index = (kernelPixel * p.destinationChannels + column) * p.sourceChannels + channel;
        }
        let inside = weightOffset < runLength && column < p.destinationChannels;
        weight[i] = select(0.0, weights[select(0u, index, inside)], inside);
      }

      workgroupBarrier();
      sourceTile[local.x * SIDE + local.y] = staged;
      weightTile[depth * SIDE + select(local.x, local.y, DATA_GRADIENT)] = weight;
      workgroupBarrier();
      for (var k = 0u; k < SIDE; k++) {
        let a = sourceTile[k * SIDE + local.y];
        let b = weightTile[k * SIDE + local.x];
        sums[0] = fma(vec4f(a.x), b, sums[0]);
        sums[1] = fma(vec4f(a.y), b, sums[1]);
        sums[2] = fma(vec4f(a.z), b, sums[2]);
        sums[3] = fma(vec4f(a.w), b, sums[3]);
      }
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let pixel = firstPixel + local.y * 4u + i;
    if (pixel >= pixels) {
      return;
    }
    let image = pixel / (x.pixels * y.pixels);
    let placeY = y.phase + ((pixel / x.pixels) % y.pixels) * y.step;
    let placeX = x.phase + (pixel % x.pixels) * x.step;
    let place = ((image * p.destinationHeight + placeY) * p.destinationWidth + placeX) * p.destinationChannels;
    for (var c = 0u; c < 4u; c++) {
      let column = firstColumn + local.x * 4u + c;
      if (column < p.destinationChannels) {
        var value = sums[i][c];
        if (AFFINE) {
          value = fma(value, scale[column], shift[column]);
        }
        if (RESIDUAL) {
          value += residual[place + column];
        }
        if (RELU) {
          // Not max(): that may swallow a NaN.
          value = select(value, 0.0, value < 0.0);
        }
        destination[place + column] = value;
      }
    }
  }
}
