// y = activation(gamma * (x - mean) / sqrt(variance + epsilon) + beta (+ residual)), with mean and variance of each column of x
// (Ioffe and Szegedy 2015, algorithm 1); activation is ReLU or nothing.
//
// Rung 1: as the definition reads. `statistics`, one invocation a column, iterates over all rows for the mean and again for the squares;
// `normalise` and `normalise_residual`, one invocation an output, load four numbers of the column for each.
//
// x, residual, y [rows, columns]   gamma, beta, mean, inverseDeviation, variance [columns]; variance is the unbiased one
// Dispatch: statistics foldGrid(ceil(columns / 64)); the others foldGrid(ceil(rows * columns / 64)).
// Constants: RELU.

struct Parameters {
  rows: u32,
  columns: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> inverseDeviation: array<f32>;
@group(0) @binding(4) var<storage, read_write> variance: array<f32>;

@group(0) @binding(4) var<storage, read_write> gamma: array<f32>;
@group(0) @binding(5) var<storage, read_write> beta: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<storage, read_write> residual: array<f32>;

@compute @workgroup_size(64)
fn statistics(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = (group.x + group.y * grid.x) * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  let count = f32(parameters.rows);
  var sum = 0.0;
  for (var row = 0u; row < parameters.rows; row++) {
    sum += x[row * parameters.columns + column];
  }
  let average = sum / count;
  var squares = 0.0;
  for (var row = 0u; row < parameters.rows; row++) {
    let difference = x[row * parameters.columns + column] - average;
    squares += difference * difference;
  }
  mean[column] = average;
  inverseDeviation[column] = inverseSqrt(squares / count + parameters.epsilon);
  variance[column] = squares / max(count - 1.0, 1.0);
}

fn normalised(i: u32) -> f32 {
  let column = i % parameters.columns;
  return gamma[column] * (x[i] - mean[column]) * inverseDeviation[column] + beta[column];
}

// Not max(): that may swallow a NaN.
fn activation(value: f32) -> f32 {
  return select(value, 0.0, RELU && value < 0.0);
}

@compute @workgroup_size(64)
fn normalise(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i < parameters.rows * parameters.columns) {
    y[i] = activation(normalised(i));
  }
}

@compute @workgroup_size(64)
fn normalise_residual(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i < parameters.rows * parameters.columns) {
    y[i] = activation(normalised(i) + residual[i]);
  }
}
