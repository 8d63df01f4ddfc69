// Weight gradient of a convolution, with a tile of it held still while pixels stream past.
//
//   dw[kh, kw, i, o] = sum over n, u, v of  x[n, u*stride - padding + kh, v*stride - padding + kw, i] * dy[n, u, v, o]
//
// For each kernel row kh the pairs (kw, i) lie one after the other in NHWC memory, so that dw[kh] is a matrix product:
// (kernelWidth * inputChannels) x pixels times pixels x outputChannels, with a small result and a huge reduction. The
// pixels are split over workgroups; each part's sum is added in fixed order by sum-partials.wgsl.
//
// Made for processors that execute a subgroup as one vector (SwiftShader, lavapipe). What is dear there:
//   loads, each a loop over the lanes: they take vec4f, and serve a whole tile. A workgroup is one subgroup and has
//     ROWS x (LANES * 4 * VECTORS) sums; of a pixel each lane loads four of the rows' numbers, which all share by
//     broadcasts, and four numbers of dy for each of its vectors;
//   sums that outlive an iteration, which are loaded, blended with the mask of active lanes and stored: an iteration takes
//     two pixels;
//   padding: only pixels are visited for which some tap of the tile meets the image. A 3x3 kernel over a 2 x 2 image has 36
//     pairs of tap and pixel, of which 16 do;
//   bounds, which cost six selections a load: a tile within one tap (WHOLE_TAPS) meets the image at each pixel that it visits;
//   counting: a plain product (POINTWISE) goes from pixel to pixel by one addition.
// docs/kernels/convolution/weight-gradient.md has what each of these gave, and which tiles are slower.
//
// x     [batch, height, width, inputChannels] f32
// dy    [batch, outputHeight, outputWidth, outputChannels] f32
// parts [splitK, kernelHeight, kernelWidth, inputChannels, outputChannels] f32
// Limits: both numbers of channels are multiples of four; others are padded (padding.wgsl).
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(outputChannels / (LANES * 4 * VECTORS)), kernelHeight * ceil(kernelWidth * inputChannels / ROWS), splits].
// Constants: LANES = subgroup size (4 or 8); ROWS, a multiple of four up to 32; VECTORS 1 or 2; WHOLE_TAPS: ROWS is 32 and divides
//   inputChannels; WHOLE_COLUMNS: the columns of a workgroup divide outputChannels; POINTWISE: the kernel is 1x1 without padding and
//   stride; EVEN: every split visits an even number of pixels.

@group(0) @binding(1) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partialSums: array<vec4f>;

// Output places [first, end) along an axis at which some of the taps [firstTap, lastTap] meets the image.
struct Range {
  first: i32,
  end: i32,
}

fn meeting(size: i32, outputSize: i32, stride: i32, padding: i32, firstTap: i32, lastTap: i32) -> Range {
  let first = (max(padding - lastTap, 0) + stride - 1) / stride;
  let end = (size + padding - firstTap + stride - 1) / stride;
  return Range(first, max(first, min(end, outputSize)));
}

// Where a visit is: the output place, and the vectors of x and dy there that are this lane's first.
struct Visit {
  x: i32,
  y: i32,
  source: i32,
  gradient: i32,
}

// What lies between two visits in x and dy: within a row of output places, from row to row, and from image to image.
struct Steps {
  place: i32,
  row: i32,
  image: i32,
}

var<private> across: Range;
var<private> down: Range;
var<private> sourceSteps: Steps;
var<private> gradientSteps: Steps;

// Row-major order: counting on is cheaper than dividing, and selections are cheaper than branches.
fn next(visit: Visit) -> Visit {
  if (POINTWISE) {
    return Visit(visit.x, visit.y, visit.source + sourceSteps.place, visit.gradient + gradientSteps.place);
  }
  let rowEnds = visit.x + 1 == across.end;
  let imageEnds = rowEnds && visit.y + 1 == down.end;
  return Visit(
    select(visit.x + 1, across.first, rowEnds),
    select(select(visit.y, visit.y + 1, rowEnds), down.first, imageEnds),
    visit.source + select(select(sourceSteps.place, sourceSteps.row, rowEnds), sourceSteps.image, imageEnds),
    visit.gradient + select(select(gradientSteps.place, gradientSteps.row, rowEnds), gradientSteps.image, imageEnds),
  );
}

// This lane's first vector of rows, counted in the run of (kw, i), and its first vector of columns.
var<private> row: i32;
var<private> column: i32;

fn loadSource(visit: Visit, offset: i32, channels: i32) -> vec4f {
  if (WHOLE_TAPS) {
    return x[visit.source + offset];
  }
  let sourceX = visit.x * i32(parameters.strideX) - i32(parameters.paddingX);
  let place = row + offset;
  let inside = place >= -sourceX * channels && place < min(i32(parameters.kernelWidth), i32(parameters.sourceWidth) - sourceX) * channels;
  return select(vec4f(), x[select(0, visit.source + offset, inside)], inside);
}

fn loadGradient(visit: Visit, offset: i32, columns: i32) -> vec4f {
  let inside = WHOLE_COLUMNS || column + offset < columns;
  return select(vec4f(), dy[select(0, visit.gradient + offset, inside)], inside);
}

var<private> sums: array<vec4f, ROWS * VECTORS>;
// dy of the two pixels of an iteration.
var<private> gradientsA: array<vec4f, 2>;
var<private> gradientsB: array<vec4f, 2>;

fn addRow(tileRow: u32, a: f32, b: f32) {
  let place = tileRow * VECTORS;
  sums[place] = fma(vec4f(b), gradientsB[0], fma(vec4f(a), gradientsA[0], sums[place]));
  if (VECTORS > 1u) {
    sums[place + 1u] = fma(vec4f(b), gradientsB[1], fma(vec4f(a), gradientsA[1], sums[place + 1u]));
  }
}

fn addRows(tileRow: u32, a: vec4f, b: vec4f) {
  if (tileRow < ROWS) {
    addRow(tileRow, a.x, b.x);
    addRow(tileRow + 1u, a.y, b.y);
    addRow(tileRow + 2u, a.z, b.z);
    addRow(tileRow + 3u, a.w, b.w);
  }
}

// The products of four rows in each lane.
fn addLanes(tileRow: u32, a: vec4f, b: vec4f) {
  addRows(tileRow, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  addRows(tileRow + 4u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  addRows(tileRow + 8u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  addRows(tileRow + 12u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  if (LANES > 4u) {
    addRows(tileRow + 16u, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
    addRows(tileRow + 20u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
    addRows(tileRow + 24u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
    addRows(tileRow + 28u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
  let group = vec3i(id);
  let lane = i32(invocation);
  let channels = i32(parameters.sourceChannels) / 4;
  let columns = i32(parameters.destinationChannels) / 4;
  // Rows of the run and of a tile are counted in vectors too.
  const TILE = i32(ROWS) / 4;
  let runLength = i32(parameters.kernelWidth) * channels;
  let rowTiles = (runLength + TILE - 1) / TILE;
  let kernelRow = group.y / rowTiles;
  let firstRow = (group.y % rowTiles) * TILE;
  let firstTap = firstRow / channels;
  let lastTap = (min(firstRow + TILE, runLength) - 1) / channels;
  let horizontal = meeting(i32(parameters.sourceWidth), i32(parameters.destinationWidth), i32(parameters.strideX), i32(parameters.paddingX), firstTap, lastTap);
  let vertical = meeting(i32(parameters.sourceHeight), i32(parameters.destinationHeight), i32(parameters.strideY), i32(parameters.paddingY), kernelRow, kernelRow);
  let width = horizontal.end - horizontal.first;
  let height = vertical.end - vertical.first;
  let pixels = i32(parameters.batch) * height * width;
  let share = select((pixels + i32(parameters.splitK) - 1) / i32(parameters.splitK), i32(parameters.imagesPerSplit) * height * width, i32(parameters.imagesPerSplit) > 0);
  let first = group.z * share;
  let end = min(first + share, pixels);

  across = horizontal;
  down = vertical;
  row = firstRow + lane;
  column = group.x * i32(LANES * VECTORS) + lane;
  let sourceRow = i32(parameters.strideY) * i32(parameters.sourceWidth) * channels;
  sourceSteps.place = i32(parameters.strideX) * channels;
  sourceSteps.row = sourceRow - (width - 1) * sourceSteps.place;
  sourceSteps.image = i32(parameters.sourceHeight) * i32(parameters.sourceWidth) * channels - (height - 1) * sourceRow - (width - 1) * sourceSteps.place;
  let gradientRow = i32(parameters.destinationWidth) * columns;
  gradientSteps.place = columns;
  gradientSteps.row = gradientRow - (width - 1) * columns;
  gradientSteps.image = (i32(parameters.destinationHeight) - height + 1) * gradientRow - (width - 1) * columns;

  var visit: Visit;
  if (first < end) {
    visit.x = across.first + first % width;
    visit.y = down.first + first / width % height;
    let image = first / (width * height);
    let sourceY = image * i32(parameters.sourceHeight) + visit.y * i32(parameters.strideY) + kernelRow - i32(parameters.paddingY);
    visit.source = (sourceY * i32(parameters.sourceWidth) + visit.x * i32(parameters.strideX) - i32(parameters.paddingX)) * channels + row;
    visit.gradient = ((image * i32(parameters.destinationHeight) + visit.y) * i32(parameters.destinationWidth) + visit.x) * columns + column;
  }

  for (var pixel = first; pixel < end; pixel += 2) {
    let a = visit;
    let following = next(a);
    // Behind an odd number of pixels the last one comes once more, with nothing of x.
    let exists = EVEN || pixel + 1 < end;
    var b = following;
    b.x = select(a.x, b.x, exists);
    b.source = select(a.source, b.source, exists);
    b.gradient = select(a.gradient, b.gradient, exists);
    visit = next(following);
    let sourceA = loadSource(a, 0, channels);
    let sourceB = select(vec4f(), loadSource(b, 0, channels), exists);
    gradientsA[0] = loadGradient(a, 0, columns);
    gradientsB[0] = loadGradient(b, 0, columns);
    if (VECTORS > 1u) {
      gradientsA[1] = loadGradient(a, i32(LANES), columns);
      gradientsB[1] = loadGradient(b, i32(LANES), columns);
    }
    addLanes(0u, sourceA, sourceB);
    if (LANES == 4u) {
      addLanes(16u, loadSource(a, 4, channels), select(vec4f(), loadSource(b, 4, channels), exists));
    }
  }

  let partial = 4 * ((group.z * i32(parameters.kernelHeight) + kernelRow) * runLength + firstRow);
  for (var i = 0; i < min(i32(parameters.rows), 4 * (runLength - firstRow)); i++) {
    for (var vector = 0; vector < i32(VECTORS); vector++) {
      let place = column + vector * i32(LANES);
      if (place < columns) {
        partialSums[(partial + i) * columns + place] = sums[i * i32(VECTORS) + vector];
      }
    }
  }
}
