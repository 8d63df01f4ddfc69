// Weight gradient of a convolution by tiles in workgroup memory, four channels at a time. For the mathematics and the merged
// rows of taps see convolution-weight-gradient-output-stationary.wgsl; operands and sizes are the same.
//
// Made for GPUs. A workgroup computes TILE_ROWS (tap, input channel) pairs x TILE_COLUMNS output channels of one part of the
// pixels, an invocation ROWS x COLUMNS of them in registers. The reduction advances by DEPTH pixels: while a K-tile is multiplied
// out of workgroup memory, the next one is on its way from global memory into registers. Both factors lie in memory as the product wants them:
// a pixel is (ROWS + COLUMNS) / 4 vector reads and ROWS * COLUMNS multiply-adds.
//
// The parts are added in a second pass in fixed order (sum-partials.wgsl).
//
// Dispatch: [ceil(outputChannels / TILE_COLUMNS), kernelHeight * ceil(kernelWidth * inputChannels / TILE_ROWS), splits]: workgroups
//   that run together read the same pixels.
// Libraries: convolution-parameters.wgsl and the sums of `sumsOfRowVectors` (kernels/convolution/gpu/register-sums.ts).
// Limits: TILE_ROWS / ROWS * TILE_COLUMNS / COLUMNS invocations, 4 * DEPTH * (TILE_ROWS + TILE_COLUMNS) bytes.
// Needs: input and output channels in multiples of four.
// Constants: EVEN, whether all splits are of a multiple of DEPTH pixels; INSIDE, whether there is no padding; Scalar, the type of
//   x and dy, f32 or f16 (sums and parts are f32 always); POINTWISE (1x1, stride 1, no padding: pixels need no arithmetic);
//   TILE_ROWS, TILE_COLUMNS, ROWS, COLUMNS (all
//   multiples of four), DEPTH; UNROLLED: whether the compiler may see the depth of the inner loop.

@group(0) @binding(1) var<storage, read_write> x: array<vec4<Scalar>>;
@group(0) @binding(2) var<storage, read_write> dy: array<vec4<Scalar>>;
@group(0) @binding(3) var<storage, read_write> partialSums: array<vec4f>;

const TILE_ROW_VECTORS = TILE_ROWS / 4u;
const TILE_COLUMN_VECTORS = TILE_COLUMNS / 4u;
const ROW_VECTORS = ROWS / 4u;
const COLUMN_VECTORS = COLUMNS / 4u;
const ROW_INVOCATIONS = TILE_ROWS / ROWS;
const COLUMN_INVOCATIONS = TILE_COLUMNS / COLUMNS;
const INVOCATIONS = ROW_INVOCATIONS * COLUMN_INVOCATIONS;

// Vectors of the tiles, and how many of them an invocation stages at most.
const X_VECTORS = DEPTH * TILE_ROW_VECTORS;
const DY_VECTORS = DEPTH * TILE_COLUMN_VECTORS;
const X_SLOTS = (X_VECTORS + INVOCATIONS - 1u) / INVOCATIONS;
const DY_SLOTS = (DY_VECTORS + INVOCATIONS - 1u) / INVOCATIONS;

// [pixel][row / 4] and [pixel][column / 4].
var<workgroup> xTile: array<vec4f, X_VECTORS>;
var<workgroup> dyTile: array<vec4f, DY_VECTORS>;

var<private> stagedX: array<vec4<Scalar>, X_SLOTS>;
var<private> stagedDy: array<vec4<Scalar>, DY_SLOTS>;
// Where the output pixel of each staged vector of x is; counting on is cheaper than dividing in each iteration.
struct PixelPlace {
  image: u32,
  y: u32,
  x: u32,
}
var<private> places: array<PixelPlace, X_SLOTS>;

// Invocations that find no vector of a K-tile left stage the last one again, and what lies behind the last row or column is read as these: their
// sums are not stored. So only what a K-tile must count as zero is looked for, and where all is there nothing is.
fn xVectorOf(slot: u32, invocation: u32) -> u32 {
  return select(min(invocation + slot * INVOCATIONS, X_VECTORS - 1u), invocation + slot * INVOCATIONS, X_VECTORS % INVOCATIONS == 0u);
}

fn dyVectorOf(slot: u32, invocation: u32) -> u32 {
  return select(min(invocation + slot * INVOCATIONS, DY_VECTORS - 1u), invocation + slot * INVOCATIONS, DY_VECTORS % INVOCATIONS == 0u);
}

// Global memory to registers: DEPTH pixels from `start` on; then the places move on by DEPTH pixels.
fn load(start: u32, lastPixel: u32, kernelRow: u32, firstRowVector: u32, firstColumnVector: u32, advance: PixelPlace, invocation: u32) {
  let p = parameters;
  let channelVectors = i32(p.sourceChannels / 4u);
  let runVectors = i32(p.kernelWidth) * channelVectors;
  for (var slot = 0u; slot < X_SLOTS; slot++) {
    let vector = xVectorOf(slot, invocation);
    let pixel = start + vector / TILE_ROW_VECTORS;
    let offset = min(i32(firstRowVector + vector % TILE_ROW_VECTORS), runVectors - 1);
    var inside = EVEN || pixel < lastPixel;
    var index = i32(pixel) * channelVectors + offset;
    if (!POINTWISE) {
      let place = places[slot];
      let sourceY = i32(place.y * p.strideY + kernelRow) - i32(p.paddingY);
      let sourceX = i32(place.x * p.strideX) - i32(p.paddingX);
      if (!INSIDE) {
        inside = inside && sourceY >= 0 && sourceY < i32(p.sourceHeight)
          && offset >= -sourceX * channelVectors && offset < (i32(p.sourceWidth) - sourceX) * channelVectors;
      }
      index = ((i32(place.image * p.sourceHeight) + sourceY) * i32(p.sourceWidth) + sourceX) * channelVectors + offset;

      let right = place.x + advance.x;
      let carryX = u32(right >= p.destinationWidth);
      let down = place.y + advance.y + carryX;
      let carryY = u32(down >= p.destinationHeight);
      places[slot] = PixelPlace(place.image + advance.image + carryY, down - carryY * p.destinationHeight, right - carryX * p.destinationWidth);
    }
    if (EVEN && INSIDE) {
      stagedX[slot] = x[u32(index)];
    } else {
      stagedX[slot] = select(vec4<Scalar>(), x[u32(select(0, index, inside))], inside);
    }
  }
  let columnVectors = p.destinationChannels / 4u;
  for (var slot = 0u; slot < DY_SLOTS; slot++) {
    let vector = dyVectorOf(slot, invocation);
    let pixel = start + vector / TILE_COLUMN_VECTORS;
    let column = min(firstColumnVector + vector % TILE_COLUMN_VECTORS, columnVectors - 1u);
    let index = pixel * columnVectors + column;
    if (EVEN) {
      stagedDy[slot] = dy[index];
    } else {
      let inside = pixel < lastPixel;
      stagedDy[slot] = select(vec4<Scalar>(), dy[select(0u, index, inside)], inside);
    }
  }
}

// Registers to workgroup memory, which holds f32: a 16-bit number is upcast once, not each time it is read.
fn stage(invocation: u32) {
  for (var slot = 0u; slot < X_SLOTS; slot++) {
    let vector = invocation + slot * INVOCATIONS;
    if (vector < X_VECTORS) {
      xTile[vector] = vec4f(stagedX[slot]);
    }
  }
  for (var slot = 0u; slot < DY_SLOTS; slot++) {
    let vector = invocation + slot * INVOCATIONS;
    if (vector < DY_VECTORS) {
      dyTile[vector] = vec4f(stagedDy[slot]);
    }
  }
}

// What the sums are made of: rows and columns of a pixel.
fn leftVector(place: u32, rowVector: u32) -> vec4f {
  return xTile[place + rowVector * ROW_INVOCATIONS];
}

fn rightVector(place: u32, columnVector: u32) -> vec4f {
  return dyTile[place + columnVector * COLUMN_INVOCATIONS];
}

fn multiply(rowInvocation: u32, columnInvocation: u32) {
  for (var k = 0u; k < select(parameters.depth, DEPTH, UNROLLED); k++) {
    addProducts(k * TILE_ROW_VECTORS + rowInvocation, k * TILE_COLUMN_VECTORS + columnInvocation);
  }
}

// Where the sums of an invocation go: its first vectors of rows and columns, and the row of the kernels of all parts.
struct Place {
  rowVector: u32,
  columnVector: u32,
  kernelRow: u32,
}

fn storeRow(row: u32, values: array<vec4f, COLUMN_VECTORS>, place: Place) {
  let runVectors = parameters.kernelWidth * parameters.sourceChannels / 4u;
  let columnVectors = parameters.destinationChannels / 4u;
  let rowVector = place.rowVector + row / 4u * ROW_INVOCATIONS;
  if (rowVector >= runVectors) {
    return;
  }
  let first = (4u * (place.kernelRow * runVectors + rowVector) + row % 4u) * columnVectors;
  for (var j = 0u; j < COLUMN_VECTORS; j++) {
    let column = place.columnVector + j * COLUMN_INVOCATIONS;
    if (column < columnVectors) {
      partialSums[first + column] = values[j];
    }
  }
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let runVectors = p.kernelWidth * p.sourceChannels / 4u;
  let rowTiles = (runVectors + TILE_ROW_VECTORS - 1u) / TILE_ROW_VECTORS;
  let kernelRow = group.y / rowTiles;
  let firstRowVector = (group.y % rowTiles) * TILE_ROW_VECTORS;
  let firstColumnVector = group.x * TILE_COLUMN_VECTORS;
  let imagePixels = p.destinationHeight * p.destinationWidth;
  let firstPixel = group.z * p.pixelsPerSplit;
  let lastPixel = min(firstPixel + p.pixelsPerSplit, p.batch * imagePixels);

  for (var slot = 0u; slot < X_SLOTS; slot++) {
    let pixel = firstPixel + xVectorOf(slot, invocation) / TILE_ROW_VECTORS;
    places[slot] = PixelPlace(pixel / imagePixels, (pixel / p.destinationWidth) % p.destinationHeight, pixel % p.destinationWidth);
  }
  let advance = PixelPlace(DEPTH / imagePixels, (DEPTH / p.destinationWidth) % p.destinationHeight, DEPTH % p.destinationWidth);

  let rowInvocation = invocation / COLUMN_INVOCATIONS;
  let columnInvocation = invocation % COLUMN_INVOCATIONS;
  let kTiles = (lastPixel - firstPixel + DEPTH - 1u) / DEPTH;
  for (var kTile = 0u; kTile <= kTiles; kTile++) {
    if (kTile < kTiles) {
      load(firstPixel + kTile * DEPTH, lastPixel, kernelRow, firstRowVector, firstColumnVector, advance, invocation);
    }
    if (kTile > 0u) {
      multiply(rowInvocation, columnInvocation);
    }
    if (kTile < kTiles) {
      workgroupBarrier();
      stage(invocation);
      workgroupBarrier();
    }
  }

  storeRows(Place(firstRowVector + rowInvocation, firstColumnVector + columnInvocation, group.z * p.kernelHeight + kernelRow));
}
