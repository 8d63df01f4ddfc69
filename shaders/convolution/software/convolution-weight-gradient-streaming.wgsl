// Weight gradient of a convolution, with a block of dy stationary in each invocation's registers and rows of x streaming past.
// For the mathematics and the merged rows of taps see convolution-weight-gradient-output-stationary.wgsl; operands and sizes are the
// same, and so are the parts that sum-partials.wgsl adds.
//
// For processors that execute a subgroup as one vector, and numbers of channels that are no multiples of four, so that the
// output-stationary kernel's vec4f loads do not fit. Four sums are alive at a time: a workgroup, one subgroup, keeps DEPTH pixels x
// (LANES * COLUMNS) channels of dy; for each (tap, input channel) pair its lanes gather that number from LANES pixels at a
// time, share it by broadcasts, and add the result to the part.
//
// Library: convolution-parameters.wgsl.
// Dispatch: [splitK, ceil(outputChannels / (LANES * COLUMNS)), kernelHeight * ceil(kernelWidth * inputChannels / rowsPerGroup)].
// Constants: LANES = subgroup size (4 or 8); DEPTH 32 or 64; COLUMNS 2 or 4, Columns = vecCOLUMNSf.

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partialSums: array<f32>;

var<private> block: array<Columns, DEPTH>;
// Of the pixels that this lane gathers from, one in LANES: where the run of x begins, and between which offsets it is inside
// the image's row.
var<private> runBase: array<i32, DEPTH / LANES>;
var<private> runFirst: array<i32, DEPTH / LANES>;
var<private> runLast: array<i32, DEPTH / LANES>;

var<private> sum0: Columns;
var<private> sum1: Columns;
var<private> sum2: Columns;
var<private> sum3: Columns;

// Adds the products of LANES pixels, from the block's row k on, for one offset into their runs.
fn step(k: u32, offset: i32) {
  if (k < DEPTH) {
    let i = min(k / LANES, DEPTH / LANES - 1u);
    let inside = offset >= runFirst[i] && offset < runLast[i];
    let value = select(0.0, x[u32(select(0, runBase[i] + offset, inside))], inside);
    sum0 = fma(Columns(subgroupBroadcast(value, 0u)), block[k], sum0);
    sum1 = fma(Columns(subgroupBroadcast(value, 1u)), block[k + 1u], sum1);
    sum2 = fma(Columns(subgroupBroadcast(value, 2u)), block[k + 2u], sum2);
    sum3 = fma(Columns(subgroupBroadcast(value, 3u)), block[k + 3u], sum3);
    if (LANES > 4u) {
      let second = min(k + 4u, DEPTH - 4u);
      sum0 = fma(Columns(subgroupBroadcast(value, 4u)), block[second], sum0);
      sum1 = fma(Columns(subgroupBroadcast(value, 5u)), block[second + 1u], sum1);
      sum2 = fma(Columns(subgroupBroadcast(value, 6u)), block[second + 2u], sum2);
      sum3 = fma(Columns(subgroupBroadcast(value, 7u)), block[second + 3u], sum3);
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let p = parameters;
  let runLength = p.kernelWidth * p.sourceChannels;
  let rowGroups = (runLength + p.rowsPerGroup - 1u) / p.rowsPerGroup;
  let kernelRow = group.z / rowGroups;
  let firstRow = (group.z % rowGroups) * p.rowsPerGroup;
  let lastRow = min(firstRow + p.rowsPerGroup, runLength);
  let firstColumn = group.y * LANES * COLUMNS + lane;
  let pixels = p.batch * p.destinationHeight * p.destinationWidth;
  let firstPixel = group.x * p.pixelsPerSplit;
  let lastPixel = min(firstPixel + p.pixelsPerSplit, pixels);
  let channels = i32(p.sourceChannels);
  let partial = (group.x * p.kernelHeight + kernelRow) * runLength * p.destinationChannels + firstColumn;

  for (var start = firstPixel; start < lastPixel; start += DEPTH) {
    for (var k = 0u; k < p.depth; k++) {
      for (var c = 0u; c < COLUMNS; c++) {
        let inside = start + k < lastPixel && firstColumn + c * LANES < p.destinationChannels;
        block[k][c] = select(0.0, dy[select(0u, (start + k) * p.destinationChannels + firstColumn + c * LANES, inside)], inside);
      }
    }
    for (var i = 0u; i < p.depth / LANES; i++) {
      let pixel = start + i * LANES + lane;
      let image = pixel / (p.destinationWidth * p.destinationHeight);
      let sourceY = i32(((pixel / p.destinationWidth) % p.destinationHeight) * p.strideY + kernelRow) - i32(p.paddingY);
      let sourceX = i32((pixel % p.destinationWidth) * p.strideX) - i32(p.paddingX);
      runBase[i] = ((i32(image * p.sourceHeight) + sourceY) * i32(p.sourceWidth) + sourceX) * channels;
      runFirst[i] = -sourceX * channels;
      // Rows outside the image are padding, pixels behind the part's last one belong to another part: nothing is inside.
      let outside = sourceY < 0 || sourceY >= i32(p.sourceHeight) || pixel >= lastPixel;
      runLast[i] = select((i32(p.sourceWidth) - sourceX) * channels, runFirst[i], outside);
    }

    for (var row = firstRow; row < lastRow; row++) {
      let offset = i32(row);
      sum0 = Columns();
      sum1 = Columns();
      sum2 = Columns();
      sum3 = Columns();
      step(0u, offset);
      step(LANES, offset);
      step(2u * LANES, offset);
      step(3u * LANES, offset);
      step(4u * LANES, offset);
      step(5u * LANES, offset);
      step(6u * LANES, offset);
      step(7u * LANES, offset);
      step(8u * LANES, offset);
      step(9u * LANES, offset);
      step(10u * LANES, offset);
      step(11u * LANES, offset);
      step(12u * LANES, offset);
      step(13u * LANES, offset);
      step(14u * LANES, offset);
      step(15u * LANES, offset);
      let sum = (sum0 + sum1) + (sum2 + sum3);
      let place = partial + row * p.destinationChannels;
      for (var c = 0u; c < COLUMNS; c++) {
        if (firstColumn + c * LANES < p.destinationChannels) {
          var value = sum[c];
          if (start > firstPixel) {
            value += partialSums[place + c * LANES];
          }
          partialSums[place + c * LANES] = value;
        }
      }
    }
  }
}
