// Weight gradient of a 1x1 convolution, with a block of the output's gradient held still while input channels stream past.
//
//   dw[i, o] = sum over n, u, v of  x[n, u*stride, v*stride, i] * dy[n, u, v, o]
//
// The product of a transposed matrix [inputChannels, pixels] and a matrix [pixels, outputChannels]. Made, like
// convolution_stationary.wgsl, for processors that execute a subgroup as one vector (lavapipe), and for the same reasons of the
// same structure: a workgroup is one subgroup, keeps DEPTH pixels x BLOCK columns of dy on its stack and streams rows of the
// result past them. A lane loads four rows of one pixel at once; of each row in turn, all share their pixels by broadcasts.
// The tile of sums of convolution_weight_gradient_stationary.wgsl takes any kernel and leaves out padding; here each row
// crosses the memory once for DEPTH pixels, so that few pixels cost little.
//
// x     [batch, height, width, inputChannels] f32
// dy    [batch, outputHeight, outputWidth, outputChannels] f32
// dw    [inputChannels, outputChannels] f32
// Limits: the kernel is 1x1 without padding; both numbers of channels are multiples of four.
// Dispatch: [ceil(outputChannels / BLOCK), ceil(inputChannels / (4 * vectorsPerGroup))] with BLOCK = 8 * LANES columns.
// Constants: LANES = subgroup size (8); DEPTH, a multiple of LANES up to 64.

struct Parameters {
  pixels: u32,
  width: u32,
  height: u32,
  inputChannels: u32,
  outputWidth: u32,
  outputHeight: u32,
  outputChannels: u32,
  strideY: u32,
  strideX: u32,
  // Four rows each.
  vectorsPerGroup: u32,
  // DEPTH and four once more: where the compiler does not know how often a loop runs, it leaves it a loop.
  depth: u32,
  four: u32,
}

@group(0) @binding(0) var<uniform> p: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4f>;

// The block: row k holds pixel k of a chunk, the first half of the columns in `low` and the second in `high`. The row behind
// the last is for the sums: passed through memory, they are complete before a store looks at its bounds.
var<private> low: array<vec4f, DEPTH + 1u>;
var<private> high: array<vec4f, DEPTH + 1u>;
var<private> lowSum: vec4f;
var<private> highSum: vec4f;
// Of the finished sums of 16 products: one sum of 64 would have twice the error.
var<private> lowTotal: vec4f;
var<private> highTotal: vec4f;

fn multiplyAdd(value: f32, pixel: u32) {
  lowSum = fma(vec4f(value), low[pixel], lowSum);
  highSum = fma(vec4f(value), high[pixel], highSum);
}

const LOADS = DEPTH / LANES;
// Four rows of this lane's pixels of a chunk, and where these pixels are.
var<private> rows: array<vec4f, LOADS>;
var<private> places: array<u32, LOADS>;
var<private> exists: array<bool, LOADS>;
var<private> values: array<f32, LOADS>;

fn load(i: u32, vector: u32) {
  if (i < LOADS) {
    rows[i] = select(vec4f(), x[select(0u, places[i] + vector, exists[i])], exists[i]);
  }
}

// The component is chosen by comparisons: at a computed index, a vector is read lane by lane.
fn choose(i: u32, row: u32) {
  if (i < LOADS) {
    let four = rows[i];
    values[i] = select(select(four.x, four.y, row == 1u), select(four.z, four.w, row == 3u), row >= 2u);
  }
}

fn accumulate(i: u32) {
  if (i < LOADS) {
    let value = values[i];
    let pixel = i * LANES;
    multiplyAdd(subgroupBroadcast(value, 0u), pixel);
    multiplyAdd(subgroupBroadcast(value, 1u), pixel + 1u);
    multiplyAdd(subgroupBroadcast(value, 2u), pixel + 2u);
    multiplyAdd(subgroupBroadcast(value, 3u), pixel + 3u);
    if (LANES > 4u) {
      let second = min(pixel + 4u, DEPTH - 4u);
      multiplyAdd(subgroupBroadcast(value, 4u), second);
      multiplyAdd(subgroupBroadcast(value, 5u), second + 1u);
      multiplyAdd(subgroupBroadcast(value, 6u), second + 2u);
      multiplyAdd(subgroupBroadcast(value, 7u), second + 3u);
    }
    if (i % 2u == 1u || i + 1u == LOADS) {
      lowTotal += lowSum;
      highTotal += highSum;
      lowSum = vec4f();
      highSum = vec4f();
    }
  }
}

fn gradient(index: u32, inside: bool) -> vec4f {
  return select(vec4f(), dy[select(0u, index, inside)], inside);
}

// Adds a sum to what earlier chunks have left.
fn store(sum: vec4f, place: u32, isFirst: bool) {
  var value = sum;
  if (!isFirst) {
    value += dw[place];
  }
  dw[place] = value;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  const BLOCK = 2u * LANES;
  // Channels and columns count vectors.
  let channels = p.inputChannels / 4u;
  let columns = p.outputChannels / 4u;
  let column = group.x * BLOCK + lane;
  let firstVector = group.y * p.vectorsPerGroup;
  let lastVector = min(firstVector + p.vectorsPerGroup, channels);

  for (var first = 0u; first < p.pixels; first += DEPTH) {
    for (var k = 0u; k < p.depth; k++) {
      let pixel = first + k;
      // Both loads before the first write: see docs/kernels/convolution_stationary.md.
      let lowRow = gradient(pixel * columns + column, pixel < p.pixels && column < columns);
      let highRow = gradient(pixel * columns + column + LANES, pixel < p.pixels && column + LANES < columns);
      low[k] = lowRow;
      high[k] = highRow;
    }
    for (var i = 0u; i < LOADS; i++) {
      let pixel = first + i * LANES + lane;
      let image = pixel / (p.outputWidth * p.outputHeight);
      let inputY = pixel / p.outputWidth % p.outputHeight * p.strideY;
      let inputX = pixel % p.outputWidth * p.strideX;
      places[i] = ((image * p.height + inputY) * p.width + inputX) * channels;
      exists[i] = pixel < p.pixels;
    }

    for (var vector = firstVector; vector < lastVector; vector++) {
      load(0u, vector);
      load(1u, vector);
      load(2u, vector);
      load(3u, vector);
      load(4u, vector);
      load(5u, vector);
      load(6u, vector);
      load(7u, vector);
      for (var row = 0u; row < p.four; row++) {
        choose(0u, row);
        choose(1u, row);
        choose(2u, row);
        choose(3u, row);
        choose(4u, row);
        choose(5u, row);
        choose(6u, row);
        choose(7u, row);
        lowSum = vec4f();
        highSum = vec4f();
        lowTotal = vec4f();
        highTotal = vec4f();
        accumulate(0u);
        accumulate(1u);
        accumulate(2u);
        accumulate(3u);
        accumulate(4u);
        accumulate(5u);
        accumulate(6u);
        accumulate(7u);
        low[DEPTH] = lowTotal;
        high[DEPTH] = highTotal;

        let place = (4u * vector + row) * columns + column;
        if ((group.x + 1u) * BLOCK <= columns) {
          store(low[DEPTH], place, first == 0u);
          store(high[DEPTH], place + LANES, first == 0u);
        } else {
          if (column < columns) {
            store(low[DEPTH], place, first == 0u);
          }
          if (column + LANES < columns) {
            store(high[DEPTH], place + LANES, first == 0u);
          }
        }
      }
    }
  }
}
