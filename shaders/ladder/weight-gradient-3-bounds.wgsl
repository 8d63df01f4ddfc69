// Weight gradient of a convolution, with a tile of it held still while pixels stream past.
//
// Rung 3: the tile of sums of convolution-weight-gradient-output-stationary.wgsl as it was before it left bounds out where they
// always hold: each load looks at its own, and each pixel's place is calculated by multiplication.
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
//     pairs of tap and pixel, of which 16 do.
// docs/kernels/convolution/weight-gradient.md has what each of these gave, and which tiles are slower.
//
// x     [batch, height, width, inputChannels] f32
// dy    [batch, outputHeight, outputWidth, outputChannels] f32
// parts [splitK, kernelHeight, kernelWidth, inputChannels, outputChannels] f32
// Limits: both numbers of channels are multiples of four; others are not supported.
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(outputChannels / (LANES * 4 * VECTORS)), kernelHeight * ceil(kernelWidth * inputChannels / ROWS), splits].
// Constants: LANES = subgroup size (4 or 8); ROWS 32; VECTORS 1 or 2.

@group(0) @binding(1) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partialSums: array<vec4f>;

// Elements that the lanes load together, as offsets.
const LOADED = i32(4u * LANES);

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

// Of this lane: its first row of the tile, counted in the run of (kw, i), and its first column.
var<private> row: i32;
var<private> column: i32;
var<private> kernelRow: i32;

var<private> across: Range;
var<private> down: Range;
// The next pixel: output place and image.
var<private> placeX: i32;
var<private> placeY: i32;
var<private> image: i32;

// Of a pixel: where this lane's numbers of x and dy are, and between which of its rows x is inside the image.
struct Pixel {
  source: i32,
  firstRow: i32,
  endRow: i32,
  gradient: i32,
  endColumn: i32,
}

// The next pixel, or one with nothing inside. Pixels are visited in row-major order: counting on is cheaper than dividing.
fn nextPixel(exists: bool) -> Pixel {
  let sourceY = placeY * i32(parameters.strideY) + kernelRow - i32(parameters.paddingY);
  let sourceX = placeX * i32(parameters.strideX) - i32(parameters.paddingX);
  var pixel: Pixel;
  pixel.source = ((image * i32(parameters.sourceHeight) + sourceY) * i32(parameters.sourceWidth) + sourceX) * i32(parameters.sourceChannels) + row;
  pixel.firstRow = -sourceX * i32(parameters.sourceChannels);
  pixel.endRow = select(pixel.firstRow, min(i32(parameters.kernelWidth), i32(parameters.sourceWidth) - sourceX) * i32(parameters.sourceChannels), exists);
  pixel.gradient = ((image * i32(parameters.destinationHeight) + placeY) * i32(parameters.destinationWidth) + placeX) * i32(parameters.destinationChannels) + column;
  pixel.endColumn = select(0, i32(parameters.destinationChannels), exists);
  placeX++;
  if (placeX == across.end) {
    placeX = across.first;
    placeY++;
    if (placeY == down.end) {
      placeY = down.first;
      image++;
    }
  }
  return pixel;
}

fn loadSource(pixel: Pixel, offset: i32) -> vec4f {
  let inside = row + offset >= pixel.firstRow && row + offset < pixel.endRow;
  return select(vec4f(), x[select(0, (pixel.source + offset) / 4, inside)], inside);
}

fn loadGradient(pixel: Pixel, offset: i32) -> vec4f {
  let inside = column + offset < pixel.endColumn;
  return select(vec4f(), dy[select(0, (pixel.gradient + offset) / 4, inside)], inside);
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
  addRow(tileRow, a.x, b.x);
  addRow(tileRow + 1u, a.y, b.y);
  addRow(tileRow + 2u, a.z, b.z);
  addRow(tileRow + 3u, a.w, b.w);
}

// The products of four rows in each lane.
fn addLanes(tileRow: u32, a: vec4f, b: vec4f) {
  addRows(tileRow, subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u));
  addRows(tileRow + 4u, subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u));
  addRows(tileRow + 8u, subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u));
  addRows(tileRow + 12u, subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u));
  if (LANES > 4u) {
    let second = min(tileRow + 16u, ROWS - 16u);
    addRows(second, subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u));
    addRows(second + 4u, subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u));
    addRows(second + 8u, subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u));
    addRows(second + 12u, subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u));
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(subgroup_invocation_id) invocation: u32) {
  let group = vec3i(id);
  let lane = i32(invocation);
  let runLength = i32(parameters.kernelWidth) * i32(parameters.sourceChannels);
  let rowTiles = (runLength + i32(ROWS) - 1) / i32(ROWS);
  let tileKernelRow = group.y / rowTiles;
  let firstRow = (group.y % rowTiles) * i32(ROWS);
  let lastTap = (min(firstRow + i32(ROWS), runLength) - 1) / i32(parameters.sourceChannels);
  let horizontal = meeting(i32(parameters.sourceWidth), i32(parameters.destinationWidth), i32(parameters.strideX), i32(parameters.paddingX), firstRow / i32(parameters.sourceChannels), lastTap);
  let vertical = meeting(i32(parameters.sourceHeight), i32(parameters.destinationHeight), i32(parameters.strideY), i32(parameters.paddingY), tileKernelRow, tileKernelRow);
  let width = horizontal.end - horizontal.first;
  let height = vertical.end - vertical.first;
  let pixels = i32(parameters.batch) * height * width;
  let share = select((pixels + i32(parameters.splitK) - 1) / i32(parameters.splitK), i32(parameters.imagesPerSplit) * height * width, i32(parameters.imagesPerSplit) > 0);
  let first = group.z * share;
  let end = min(first + share, pixels);

  kernelRow = tileKernelRow;
  row = firstRow + 4 * lane;
  column = group.x * LOADED * i32(VECTORS) + 4 * lane;
  across = horizontal;
  down = vertical;
  if (first < end) {
    placeX = across.first + first % width;
    placeY = down.first + first / width % height;
    image = first / (width * height);
  }

  for (var pixel = first; pixel < end; pixel += 2) {
    let a = nextPixel(true);
    let b = nextPixel(pixel + 1 < end);
    let sourceA = loadSource(a, 0);
    let sourceB = loadSource(b, 0);
    gradientsA[0] = loadGradient(a, 0);
    gradientsB[0] = loadGradient(b, 0);
    if (VECTORS > 1u) {
      gradientsA[1] = loadGradient(a, LOADED);
      gradientsB[1] = loadGradient(b, LOADED);
    }
    addLanes(0u, sourceA, sourceB);
    if (LANES == 4u) {
      addLanes(16u, loadSource(a, 16), loadSource(b, 16));
    }
  }

  let partial = (group.z * i32(parameters.kernelHeight) + tileKernelRow) * runLength;
  for (var i = 0; i < min(i32(parameters.rows), runLength - firstRow); i++) {
    for (var vector = 0; vector < i32(VECTORS); vector++) {
      let place = column + vector * LOADED;
      if (place < i32(parameters.destinationChannels)) {
        partialSums[((partial + firstRow + i) * i32(parameters.destinationChannels) + place) / 4] = sums[i * i32(VECTORS) + vector];
      }
    }
  }
}
