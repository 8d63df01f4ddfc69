// Weight gradient of a convolution by tiles in workgroup memory. For the mathematics and the merged rows of taps see
// convolution-weight-gradient-output-stationary.wgsl; operands and sizes are the same.
//
// Made for GPUs, for channels that are not multiples of four; where they are, convolution-weight-gradient-tiled.wgsl loads
// four at once. A workgroup of SIDE x SIDE invocations computes a tile of 4*SIDE (tap, input channel) pairs x 4*SIDE output
// channels of one part of the pixels, 4 x 4 an invocation; SIDE pixels are staged at a time.
//
// Library: convolution-parameters.wgsl.
// Dispatch: [splitK, ceil(outputChannels / (4*SIDE)), kernelHeight * ceil(kernelWidth * inputChannels / (4*SIDE))].
// Limits: SIDE*SIDE invocations (256 for SIDE 16), 32*SIDE*SIDE bytes of workgroup memory.
// Constants: SIDE 8 or 16.

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partialSums: array<f32>;

// [pixel][group of four (tap, input channel) pairs] and [pixel][group of four output channels].
var<workgroup> xTile: array<vec4f, SIDE * SIDE>;
var<workgroup> dyTile: array<vec4f, SIDE * SIDE>;

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let p = parameters;
  let runLength = p.kernelWidth * p.sourceChannels;
  let rowTiles = (runLength + 4u * SIDE - 1u) / (4u * SIDE);
  let kernelRow = group.z / rowTiles;
  let firstRow = (group.z % rowTiles) * 4u * SIDE;
  let firstColumn = group.y * 4u * SIDE;
  let pixels = p.batch * p.destinationHeight * p.destinationWidth;
  let firstPixel = group.x * p.pixelsPerSplit;
  let lastPixel = min(firstPixel + p.pixelsPerSplit, pixels);
  let channels = i32(p.sourceChannels);

  var sums: array<vec4f, 4>;
  for (var start = firstPixel; start < lastPixel; start += SIDE) {
    let pixel = start + local.y;
    let image = pixel / (p.destinationWidth * p.destinationHeight);
    let sourceY = i32(((pixel / p.destinationWidth) % p.destinationHeight) * p.strideY + kernelRow) - i32(p.paddingY);
    let sourceX = i32((pixel % p.destinationWidth) * p.strideX) - i32(p.paddingX);
    let inRow = pixel < lastPixel && sourceY >= 0 && sourceY < i32(p.sourceHeight);
    let base = ((i32(image * p.sourceHeight) + sourceY) * i32(p.sourceWidth) + sourceX) * channels;
    let first = -sourceX * channels;
    let last = min(i32(runLength), (i32(p.sourceWidth) - sourceX) * channels);
    var value: vec4f;
    var gradient: vec4f;
    for (var i = 0u; i < 4u; i++) {
      let offset = i32(firstRow + local.x * 4u + i);
      let inside = inRow && offset >= first && offset < last;
      value[i] = select(0.0, x[u32(select(0, base + offset, inside))], inside);
      let column = firstColumn + local.x * 4u + i;
      let valid = pixel < lastPixel && column < p.destinationChannels;
      gradient[i] = select(0.0, dy[select(0u, pixel * p.destinationChannels + column, valid)], valid);
    }
    workgroupBarrier();
    xTile[local.y * SIDE + local.x] = value;
    dyTile[local.y * SIDE + local.x] = gradient;
    workgroupBarrier();
    for (var k = 0u; k < SIDE; k++) {
      let a = xTile[k * SIDE + local.y];
      let b = dyTile[k * SIDE + local.x];
      sums[0] = fma(vec4f(a.x), b, sums[0]);
      sums[1] = fma(vec4f(a.y), b, sums[1]);
      sums[2] = fma(vec4f(a.z), b, sums[2]);
      sums[3] = fma(vec4f(a.w), b, sums[3]);
    }
  }

  let partialSize = p.kernelHeight * runLength * p.destinationChannels;
  for (var i = 0u; i < 4u; i++) {
    let offset = firstRow + local.y * 4u + i;
    let place = group.x * partialSize + (kernelRow * runLength + offset) * p.destinationChannels;
    for (var c = 0u; c < 4u; c++) {
      let column = firstColumn + local.x * 4u + c;
      if (offset < runLength && column < p.destinationChannels) {
        partialSums[place + column] = sums[i][c];
      }
    }
  }
}
