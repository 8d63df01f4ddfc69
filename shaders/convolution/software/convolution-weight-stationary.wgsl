// Convolution, forward or data gradient, with a block of weights stationary in each invocation's registers.
//
//   forward         y[n, u, v, o]  = sum over kh, kw, i of  x[n, u*stride - padding + kh, v*stride - padding + kw, i] * w[kh, kw, i, o]
//   data gradient  dx[n, h, w, i]  = sum over kh, kw, o of dy[n, (h + padding - kh) / stride, (w + padding - kw) / stride, o] * w[kh, kw, i, o]
//                                    where the divisions leave no rest
//
// Both gather a source (x or dy) into a destination (y or dx). With the destination split into stride x stride phases,
// the source pixels of one destination pixel are consecutive in the data gradient too, so that one kernel serves both:
// see convolution-axis.wgsl. The taps of a kernel row lie one after the other in NHWC memory: a run of taps x source channels. The
// runs of all kernel rows, one behind the other, are the reduction of a matrix product whose rows are destination pixels; it
// is cut into K-tiles of DEPTH.
//
// Made for processors that execute a subgroup as one vector (SwiftShader, lavapipe): arithmetic is cheap there, every access to a
// buffer is a loop over the lanes, which four numbers share if they are one vector, and workgroup memory is no faster than the
// rest. So a workgroup is one subgroup; it keeps DEPTH x BLOCK weights on its stack and streams destination pixels past them; a
// load of 4 * LANES consecutive source values is shared by broadcasts. docs/kernels/convolution/weight-stationary.md tells how the
// compiler of lavapipe takes this shader, and what each of its peculiarities gains.
//
// source       [batch, sourceHeight, sourceWidth, sourceChannels] f32
// weights      [kernelHeight, kernelWidth, inputChannels, outputChannels] f32 (as in the forward pass, for both)
// destination  [batch, destinationHeight, destinationWidth, destinationChannels] f32
// scale, shift [destinationChannels] f32 where AFFINE; residual like destination where addsResidual
// Epilogue: destination = relu?(sum * scale + shift + residual).
// Limits: both numbers of channels are multiples of four; others are padded (padding.wgsl).
// Libraries: convolution-parameters.wgsl, convolution-axis.wgsl.
// Dispatch: [phases * ceil(pixels of the largest phase / pixelsPerGroup), ceil(destinationChannels / BLOCK)]
//   with stride.y * stride.x phases for the data gradient and 1 for the forward pass. Phases differ in work: next to each
//   other, every share of the grid gets some of each. BLOCK = 4 * LANES columns, twice as many where WIDE.
// Constants: DATA_GRADIENT; AFFINE: there may be an epilogue; LANES = subgroup size (4 or 8); DEPTH, a multiple of four up to 16 * LANES;
//   WIDE: a lane has two vectors of columns, not one; RESIDENT: WIDE, and a group has at most 64 pixels, whose sums stay with it;
//   POINTWISE: the kernel is 1x1 with stride 1 and without padding, so that the convolution is a plain product of matrices; WHOLE: POINTWISE,
//   and DEPTH divides sourceChannels.
// A pipeline takes lavapipe 1 to 2 s to compile, so what costs next to nothing at run time is no constant: whether the epilogue
// has a residual and ReLU.

@group(0) @binding(1) var<storage, read_write> source: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> destination: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> scale: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> shift: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> residual: array<vec4f>;

// Destination pixels [first, end) of a phase along an axis.
struct Range {
  first: u32,
  end: u32,
}

// Those of which some of the taps [firstTap, lastTap] meets the source.
fn meeting(along: Axis, sourceSize: u32, firstTap: u32, lastTap: u32) -> Range {
  let first = max(along.stride - 1 - along.origin - i32(lastTap), 0) / along.stride;
  let end = max(i32(sourceSize) - along.origin - i32(firstTap) + along.stride - 1, 0) / along.stride;
  return Range(u32(first), min(u32(end), along.pixels));
}

// The block of weights, in rows of two vectors: where WIDE, row k holds the weights that meet element k of a K-tile, of the
// first half of the columns in `low` and the second in `high`; else those of elements 2k and 2k + 1.
const ROWS = select(DEPTH / 2u, DEPTH, WIDE);
var<private> low: array<vec4f, ROWS>;
var<private> high: array<vec4f, ROWS>;
// The sums of a pixel over a K-tile, then its results.
var<private> lowResult: vec4f;
var<private> highResult: vec4f;
var<private> lowSum: vec4f;
var<private> highSum: vec4f;
// Where RESIDENT, the sums of each pixel of the group over all K-tiles but the last. There are four arrays of each, and only the inner
// index is computed: LLVM's compile time grows with the square of the number of accesses to an array.
var<private> residentLow: array<array<vec4f, 16>, 4>;
var<private> residentHigh: array<array<vec4f, 16>, 4>;
var<private> ends: bool;
// Sums of the finished quarters of a K-tile: one sum of 64 products would have twice the error of four sums of 16.
var<private> lowTotal: vec4f;
var<private> highTotal: vec4f;

fn multiplyAdd(lowValue: f32, highValue: f32, row: u32) {
  lowSum = fma(vec4f(lowValue), low[row], lowSum);
  highSum = fma(vec4f(highValue), high[row], highSum);
}

// The products of four elements of a K-tile, from `element` on.
fn multiplyAddVector(values: vec4f, element: u32) {
  if (element < DEPTH) {
    if (WIDE) {
      multiplyAdd(values.x, values.x, element);
      multiplyAdd(values.y, values.y, element + 1u);
      multiplyAdd(values.z, values.z, element + 2u);
      multiplyAdd(values.w, values.w, element + 3u);
    } else {
      multiplyAdd(values.x, values.y, element / 2u);
      multiplyAdd(values.z, values.w, element / 2u + 1u);
    }
  }
}

// Elements of a K-tile whose weights are brought into the block at a time.
const FILLED = select(select(2u, 1u, WIDE), 4u, DATA_GRADIENT || RESIDENT);

const VECTORS = DEPTH / 4u;
const LOADS = (VECTORS + LANES - 1u) / LANES;
// This lane's share of a K-tile of source values. All are loaded before the first is used: a load ends a basic block.
var<private> values: array<vec4f, LOADS>;
// The number of its run, and its vector in that, for each of them.
var<private> runs: array<i32, LOADS>;
var<private> offsets: array<i32, LOADS>;

// Between which vectors the runs of a pixel are inside the source, which runs are, and where its first run begins.
var<private> firstOffset: i32;
var<private> lastOffset: i32;
var<private> firstRun: i32;
var<private> lastRun: i32;
var<private> firstVector: i32;
var<private> rowVectors: i32;

fn load(i: u32) {
  if (i < LOADS) {
    // Behind the only run of a POINTWISE kernel its beginning would follow once more.
    let met = offsets[i] >= firstOffset && offsets[i] < lastOffset && runs[i] >= firstRun && runs[i] < lastRun;
    let inside = WHOLE || select(met, runs[i] == 0, POINTWISE);
    let place = firstVector + offsets[i] + select(runs[i] * rowVectors, 0, POINTWISE);
    values[i] = select(vec4f(), source[select(0, place, POINTWISE || inside)], inside);
  }
}

fn accumulateQuarter() {
  lowTotal += lowSum;
  highTotal += highSum;
  lowSum = vec4f();
  highSum = vec4f();
}

fn accumulate(i: u32) {
  if (i < LOADS) {
    let value = values[i];
    let element = i * 4u * LANES;
    multiplyAddVector(subgroupBroadcast(value, 0u), element);
    multiplyAddVector(subgroupBroadcast(value, 1u), element + 4u);
    multiplyAddVector(subgroupBroadcast(value, 2u), element + 8u);
    multiplyAddVector(subgroupBroadcast(value, 3u), element + 12u);
    accumulateQuarter();
    if (LANES > 4u) {
      multiplyAddVector(subgroupBroadcast(value, 4u), element + 16u);
      multiplyAddVector(subgroupBroadcast(value, 5u), element + 20u);
      multiplyAddVector(subgroupBroadcast(value, 6u), element + 24u);
      multiplyAddVector(subgroupBroadcast(value, 7u), element + 28u);
      accumulateQuarter();
    }
  }
}

fn weight(index: u32, inside: bool) -> vec4f {
  if (POINTWISE) {
    return weights[index];
  }
  return select(vec4f(), weights[select(0u, index, inside)], inside);
}

// Four rows of four columns in the data gradient, whose weights lie column by column.
fn rowsOf(place: u32, stride: u32, inside: bool) -> Rows {
  return transpose(Rows(weight(place, inside), weight(place + stride, inside), weight(place + 2u * stride, inside), weight(place + 3u * stride, inside)));
}

// The rows that an iteration of filling brings to the block.
const NEW_ROWS = FILLED / (DEPTH / ROWS);
alias Rows = mat4x4f;
var<private> newLow: Rows;
var<private> newHigh: Rows;

fn putRows(row: u32) {
  low[row] = newLow[0];
  high[row] = newHigh[0];
  if (NEW_ROWS > 1u) {
    low[row + 1u] = newLow[1];
    high[row + 1u] = newHigh[1];
  }
  if (NEW_ROWS > 2u) {
    low[row + 2u] = newLow[2];
    low[row + 3u] = newLow[3];
    high[row + 2u] = newHigh[2];
    high[row + 3u] = newHigh[3];
  }
}

// Writes to element `index` of an array: new rows to the block, or the sums of an iteration to the resident accumulators. Where RESIDENT,
// a binary search of branches makes the index a literal. lavapipe writes to a computed index one lane and one number at a time, which takes
// three times as long as these branches; it skips those that no lane takes. In the last K-tile, the resident accumulators are added to the
// sums of the iteration, which are then stored.
fn put(index: u32, sums: bool) {
  if (sums) {
    residentLow[index / 16u][index % 16u] += lowResult;
    residentHigh[index / 16u][index % 16u] += highResult;
  } else if (index * NEW_ROWS < ROWS) {
    putRows(index * NEW_ROWS);
  }
}

fn put2(index: u32, first: u32, sums: bool) {
  if ((index & 1u) == 0u) {
    put(first, sums);
  } else {
    put(first + 1u, sums);
  }
}

fn put4(index: u32, first: u32, sums: bool) {
  if ((index & 2u) == 0u) {
    put2(index, first, sums);
  } else {
    put2(index, first + 2u, sums);
  }
}

fn put8(index: u32, first: u32, sums: bool) {
  if ((index & 4u) == 0u) {
    put4(index, first, sums);
  } else {
    put4(index, first + 4u, sums);
  }
}

fn put16(index: u32, first: u32, sums: bool) {
  if (sums && ends) {
    lowResult += residentLow[first / 16u][index % 16u];
    highResult += residentHigh[first / 16u][index % 16u];
  } else if ((index & 8u) == 0u) {
    put8(index, first, sums);
  } else {
    put8(index, first + 8u, sums);
  }
}

fn put32(index: u32, first: u32, sums: bool) {
  if ((index & 16u) == 0u) {
    put16(index, first, sums);
  } else {
    put16(index, first + 16u, sums);
  }
}

fn put64(index: u32, sums: bool) {
  if ((index & 32u) == 0u) {
    put32(index, 0u, sums);
  } else {
    put32(index, 32u, sums);
  }
}

// Brings the weights of FILLED elements of a K-tile into the block, from `element` on: a lane's two vectors of each lie at these places,
// if they are there. All loads come before the first write: see docs/kernels/convolution/weight-stationary.md.
fn fill(element: u32, lowPlace: u32, highPlace: u32, inLow: bool, inHigh: bool, rowStep: u32) {
  if (DATA_GRADIENT) {
    newLow = rowsOf(lowPlace, rowStep, inLow);
    if (WIDE) {
      newHigh = rowsOf(highPlace, rowStep, inHigh);
    } else {
      newHigh = Rows(newLow[1], newLow[3], vec4f(), vec4f());
      newLow[1] = newLow[2];
    }
  } else if (RESIDENT) {
    newLow = Rows(weight(lowPlace, inLow), weight(lowPlace + rowStep, inLow), weight(lowPlace + 2u * rowStep, inLow), weight(lowPlace + 3u * rowStep, inLow));
    newHigh = Rows(weight(highPlace, inHigh), weight(highPlace + rowStep, inHigh), weight(highPlace + 2u * rowStep, inHigh), weight(highPlace + 3u * rowStep, inHigh));
  } else {
    newLow[0] = weight(lowPlace, inLow);
    newHigh[0] = weight(select(lowPlace + rowStep, highPlace, WIDE), select(inLow, inHigh, WIDE));
  }
  if (RESIDENT) {
    put64(element / FILLED, false);
  } else {
    putRows(element / (DEPTH / ROWS));
  }
}

// The epilogue of the current K-tile, where AFFINE: it changes nothing before the last one. Scale and shift of a lane's columns are loaded once
// for all pixels.
struct Affine {
  scale: vec4f,
  shift: vec4f,
}
var<private> lowAffine: Affine;
var<private> highAffine: Affine;
var<private> addsResidual: bool;
var<private> appliesRelu: bool;

fn affineOf(column: u32, isLast: bool) -> Affine {
  if (isLast && parameters.isAffine != 0u) {
    return Affine(scale[column], shift[column]);
  }
  // x * 1 + -0 is x, also where x is -0.
  return Affine(vec4f(1.0), vec4f(-0.0));
}

// Not max(): that may swallow a NaN.
fn relu(value: vec4f) -> vec4f {
  return select(value, vec4f(), (value < vec4f()) & vec4<bool>(appliesRelu));
}

// Adds to the sums of a pixel what earlier K-tiles have left, and applies the epilogue.
fn finish(lowPlace: i32, highPlace: i32, isFirst: bool) {
  if (!RESIDENT && !isFirst) {
    lowResult += destination[lowPlace];
    if (WIDE) {
      highResult += destination[highPlace];
    }
  }
  if (AFFINE) {
    lowResult = fma(lowResult, lowAffine.scale, lowAffine.shift);
    highResult = fma(highResult, highAffine.scale, highAffine.shift);
    if (addsResidual) {
      lowResult += residual[lowPlace];
      if (WIDE) {
        highResult += residual[highPlace];
      }
    }
    lowResult = relu(lowResult);
    highResult = relu(highResult);
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  const BLOCK = select(LANES, 2u * LANES, WIDE);
  let p = parameters;
  let phases = select(1u, p.strideY * p.strideX, DATA_GRADIENT);
  let phase = group.x % phases;
  let y = axis(p.destinationHeight, p.kernelHeight, p.strideY, p.paddingY, phase / p.strideX);
  let x = axis(p.destinationWidth, p.kernelWidth, p.strideX, p.paddingX, phase % p.strideX);
  let pixels = p.batch * y.pixels * x.pixels;
  let firstPixel = group.x / phases * p.pixelsPerGroup;
  let imagePixels = max(y.pixels * x.pixels, 1u);
  // A phase may have fewer pixels than the largest one.
  let lastPixel = max(min(firstPixel + p.pixelsPerGroup, pixels), firstPixel);
  let wholeImages = firstPixel % imagePixels == 0u && lastPixel % imagePixels == 0u;
  // From here on channels, columns and offsets count vectors.
  let channels = p.sourceChannels / 4u;
  let columns = p.destinationChannels / 4u;
  let column = group.y * BLOCK + lane;
  // Columns that are not there read what belongs to the last one, and are not stored.
  let lowColumn = min(column, columns - 1u);
  let highColumn = min(column + LANES, columns - 1u);
  let highStep = i32(highColumn - lowColumn);
  let run = x.taps * channels;
  let reduction = y.taps * run;
  // Where no tap meets the phase there is nothing to load, and one K-tile without loads stores its zeros.
  let kTiles = max((reduction + VECTORS - 1u) / VECTORS, 1u);
  rowVectors = i32(p.sourceWidth * channels);

  for (var kTile = 0u; kTile < kTiles; kTile++) {
    let first = kTile * VECTORS;
    if (reduction > 0u) {
      for (var i = 0u; i < LOADS; i++) {
        let vector = first + i * LANES + lane;
        runs[i] = i32(vector / run);
        offsets[i] = i32(vector % run);
      }
      let rowStep = select(columns, channels, DATA_GRADIENT);
      if (POINTWISE) {
        // Rows behind the end keep what they had, since they meet zeros of the source.
        let filled = min(p.depth, p.sourceChannels - 4u * first);
        // FILLED, but unknown too: else Mesa guesses from the array's length how often the loop runs.
        let step = min(FILLED, p.depth);
        for (var k = 0u; k < filled; k += step) {
          let row = 4u * first + k;
          let lowPlace = select(row * columns + lowColumn, lowColumn * p.sourceChannels + row / 4u, DATA_GRADIENT);
          let highPlace = select(row * columns + highColumn, highColumn * p.sourceChannels + row / 4u, DATA_GRADIENT);
          fill(k, lowPlace, highPlace, true, true, rowStep);
        }
      } else {
        var tapY = first / run;
        var tapX = first % run / channels;
        var channel = 4u * (first % channels);
        for (var k = 0u; k < p.depth; k += FILLED) {
          let kernelPixel = u32((y.firstTap + i32(tapY) * y.tapStep) * i32(p.kernelWidth) + x.firstTap + i32(tapX) * x.tapStep);
          var lowPlace = (kernelPixel * p.sourceChannels + channel) * columns + column;
          var highPlace = lowPlace + LANES;
          if (DATA_GRADIENT) {
            lowPlace = (kernelPixel * p.destinationChannels + 4u * column) * channels + channel / 4u;
            highPlace = lowPlace + 4u * LANES * channels;
          }
          fill(k, lowPlace, highPlace, tapY < y.taps && column < columns, tapY < y.taps && column + LANES < columns, rowStep);
          channel += FILLED;
          if (channel == p.sourceChannels) {
            channel = 0u;
            tapX++;
            if (tapX == x.taps) {
              tapX = 0u;
              tapY++;
            }
          }
        }
      }
    }

    let isFirst = kTile == 0u;
    let isLast = kTile + 1u == kTiles;
    ends = isLast;
    if (AFFINE) {
      lowAffine = affineOf(lowColumn, isLast);
      highAffine = affineOf(highColumn, isLast);
      addsResidual = isLast && p.addsResidual != 0u;
      appliesRelu = isLast && p.appliesRelu != 0u;
    }
    // Between the first K-tile and the last, only pixels are visited of which some tap of the K-tile meets the source: of a
    // 3x3 kernel over 2x2 pixels, 16 pairs of 36.
    var across = Range(0u, x.pixels);
    var down = Range(0u, y.pixels);
    var visits = lastPixel - firstPixel;
    if (!POINTWISE && wholeImages && !isFirst && !isLast) {
      let last = min(first + VECTORS, reduction) - 1u;
      let oneRow = first / run == last / run;
      across = meeting(x, p.sourceWidth, select(0u, first % run / channels, oneRow), select(x.taps - 1u, last % run / channels, oneRow));
      down = meeting(y, p.sourceHeight, first / run, last / run);
      visits = visits / imagePixels * (max(across.end, across.first) - across.first) * (max(down.end, down.first) - down.first);
    }
    // Pixels in row-major order. Of each, where its taps begin in the source, and its places in source, destination and group; these
    // are counted on from pixel to pixel, from row to row and from image to image, which is cheaper than multiplying.
    let width = i32(across.end - across.first);
    let height = i32(down.end - down.first);
    let row = vec3i(rowVectors, i32(p.destinationWidth * columns), i32(x.pixels));
    let image = vec3i(vec2i(vec2u(p.sourceHeight, p.destinationHeight)) * row.xy, i32(imagePixels));
    let pixelStep = vec3i(x.stride * i32(channels), i32(x.step * columns), 1);
    let oneDown = vec3i(y.stride, i32(y.step), 1) * row;
    let rowStep = oneDown - (width - 1) * pixelStep;
    let imageStep = image - (height - 1) * oneDown - (width - 1) * pixelStep;
    let pixelX = across.first + firstPixel % x.pixels;
    let pixelY = down.first + (firstPixel / x.pixels) % y.pixels;
    let firstX = (x.origin + i32(across.first) * x.stride) * i32(channels);
    let lastX = firstX + (width - 1) * pixelStep.x;
    let firstY = y.origin + i32(down.first) * y.stride;
    let lastY = firstY + (height - 1) * y.stride;
    var sourceX = (x.origin + i32(pixelX) * x.stride) * i32(channels);
    var sourceY = y.origin + i32(pixelY) * y.stride;
    let places = vec3i(sourceX, i32((x.phase + pixelX * x.step) * columns + lowColumn), i32(pixelX) - i32(firstPixel));
    var place = i32(firstPixel / imagePixels) * image + vec3i(sourceY, i32(y.phase + pixelY * y.step), i32(pixelY)) * row + places;
    for (var visit = 0u; visit < visits; visit++) {
      lowSum = vec4f();
      highSum = vec4f();
      lowTotal = vec4f();
      highTotal = vec4f();
      if (reduction > 0u) {
        firstVector = place.x;
        if (!POINTWISE) {
          firstOffset = -sourceX;
          lastOffset = min(i32(run), rowVectors - sourceX);
          firstRun = -sourceY;
          lastRun = min(i32(y.taps), i32(p.sourceHeight) - sourceY);
        }
        load(0u);
        load(1u);
        load(2u);
        load(3u);
        accumulate(0u);
        accumulate(1u);
        accumulate(2u);
        accumulate(3u);
      }
      lowResult = select(lowTotal + highTotal, lowTotal, WIDE);
      highResult = highTotal;

      if (RESIDENT) {
        put64(u32(place.z), true);
      }
      if (!RESIDENT || isLast) {
        let highPlace = place.y + highStep;
        finish(place.y, highPlace, isFirst);
        if ((group.y + 1u) * BLOCK <= columns) {
          destination[place.y] = lowResult;
          if (WIDE) {
            destination[highPlace] = highResult;
          }
        } else {
          // The last columns of a width that the lanes do not divide.
          if (column < columns) {
            destination[place.y] = lowResult;
          }
          if (WIDE && column + LANES < columns) {
            destination[highPlace] = highResult;
          }
        }
      }

      // The pixels of a plain product lie one behind the other.
      let rowEnds = !POINTWISE && sourceX == lastX;
      let imageEnds = rowEnds && sourceY == lastY;
      sourceX = select(sourceX + pixelStep.x, firstX, rowEnds);
      sourceY = select(select(sourceY, sourceY + y.stride, rowEnds), firstY, imageEnds);
      place += select(select(pixelStep, rowStep, rowEnds), imageStep, imageEnds);
    }
  }
}
