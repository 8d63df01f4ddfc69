// The statistics of batch-norm-1-naive.wgsl in two passes over blocks of rows; its `normalise` follows.
//
// Rung 2: one invocation a column and a block, and x is read once: with the block's first row K as a shift, sums of x - K and of its square
// give mean and squares at once, without the cancellation of E[x^2] - E[x]^2 (Chan, Golub and LeVeque 1983, "Algorithms for computing
// the sample variance"). `combine`, one invocation a column, joins the blocks. Loads are single numbers.
//
// x [rows, columns]   partials [blocks, 2, columns]: mean and squares of each block   mean, inverseDeviation, variance [columns]
// Dispatch: block_statistics [ceil(columns / 64), blocks]; combine foldGrid(ceil(columns / 64)).

struct Parameters {
  rows: u32,
  columns: u32,
  rowsPerBlock: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;

@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> inverseDeviation: array<f32>;
@group(0) @binding(4) var<storage, read_write> variance: array<f32>;

@compute @workgroup_size(64)
fn block_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let columns = parameters.columns;
  let column = group.x * 64u + invocation;
  if (column >= columns) {
    return;
  }
  let first = group.y * parameters.rowsPerBlock;
  let end = min(first + parameters.rowsPerBlock, parameters.rows);
  let shift = x[first * columns + column];
  var sum = 0.0;
  var squares = 0.0;
  for (var row = first; row < end; row++) {
    let difference = x[row * columns + column] - shift;
    sum += difference;
    squares += difference * difference;
  }
  let shiftedMean = sum / f32(end - first);
  let place = 2u * group.y * columns + column;
  partials[place] = shift + shiftedMean;
  partials[place + columns] = squares - sum * shiftedMean;
}

@compute @workgroup_size(64)
fn combine(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let columns = parameters.columns;
  let column = (group.x + group.y * grid.x) * 64u + invocation;
  if (column >= columns) {
    return;
  }
  let shift = partials[column];
  var sum = 0.0;
  var sumOfSquares = 0.0;
  for (var first = 0u; first < parameters.rows; first += parameters.rowsPerBlock) {
    let place = 2u * first / parameters.rowsPerBlock * columns + column;
    let count = f32(min(parameters.rowsPerBlock, parameters.rows - first));
    let difference = partials[place] - shift;
    sum += count * difference;
    sumOfSquares += partials[place + columns] + count * difference * difference;
  }
  let count = f32(parameters.rows);
  let shiftedMean = sum / count;
  let squares = max(sumOfSquares - sum * shiftedMean, 0.0);
  mean[column] = shift + shiftedMean;
  inverseDeviation[column] = inverseSqrt(squares / count + parameters.epsilon);
  variance[column] = squares / max(count - 1.0, 1.0);
}
