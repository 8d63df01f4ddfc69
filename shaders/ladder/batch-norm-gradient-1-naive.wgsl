// The gradient of batch normalisation (Ioffe and Szegedy 2015, section 3): with g = dy, or dy where y > 0,
//   dbeta = sum g,   dgamma = sum g xhat,   dx = gamma * inverseDeviation * (g - dbeta / n - xhat * dgamma / n),
//   xhat = (x - mean) * inverseDeviation.
//
// Rung 1: as the definition reads. `sums`, one invocation a column, iterates over all rows; `main`, one invocation an element, loads five numbers
// of the column for each. `sums_masked` keeps g, which is the residual's gradient, where that is wanted, and otherwise puts it into dx,
// from where `in_place` goes on.
//
// x, y, dy, g, dx [rows, columns]   gamma, mean, inverseDeviation, dgamma, dbeta [columns]
// Dispatch: sums, sums_masked foldGrid(ceil(columns / 64)); main (dy or g) and in_place (dx) foldGrid(ceil(rows * columns / 64)).

struct Parameters {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> inverseDeviation: array<f32>;
@group(0) @binding(5) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(6) var<storage, read_write> dbeta: array<f32>;

@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<storage, read_write> g: array<f32>;

@group(0) @binding(7) var<storage, read_write> gamma: array<f32>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;

fn xhat(i: u32, column: u32) -> f32 {
  return (x[i] - mean[column]) * inverseDeviation[column];
}

@compute @workgroup_size(64)
fn sums(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = (group.x + group.y * grid.x) * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  var gradients = 0.0;
  var products = 0.0;
  for (var i = column; i < parameters.rows * parameters.columns; i += parameters.columns) {
    gradients += dy[i];
    products += dy[i] * xhat(i, column);
  }
  dbeta[column] = gradients;
  dgamma[column] = products;
}

@compute @workgroup_size(64)
fn sums_masked(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = (group.x + group.y * grid.x) * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  var gradients = 0.0;
  var products = 0.0;
  for (var i = column; i < parameters.rows * parameters.columns; i += parameters.columns) {
    // Not y > 0: where y is NaN, the gradient must not become an innocent zero.
    let gradient = select(dy[i], 0.0, y[i] <= 0.0);
    g[i] = gradient;
    gradients += gradient;
    products += gradient * xhat(i, column);
  }
  dbeta[column] = gradients;
  dgamma[column] = products;
}

fn inputGradient(i: u32) -> f32 {
  let column = i % parameters.columns;
  let count = f32(parameters.rows);
  return gamma[column] * inverseDeviation[column] * (dy[i] - dbeta[column] / count - xhat(i, column) * dgamma[column] / count);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i < parameters.rows * parameters.columns) {
    dx[i] = inputGradient(i);
  }
}

@compute @workgroup_size(64)
fn in_place(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i < parameters.rows * parameters.columns) {
    dy[i] = inputGradient(i);
  }
}
