// The sums of batch-norm-gradient-1-naive.wgsl over blocks of rows; its second dispatch follows.
//
// Rung 2: one invocation a column and a block; the deviation, a factor of every term, waits for the end. `combine`, one invocation a
// column, adds the blocks. Loads are single numbers.
//
// x, y, dy, g [rows, columns]   partials [blocks, 2, columns]: sums of g and of g (x - mean)   mean, inverseDeviation, dgamma, dbeta [columns]
// Dispatch: plain, masked [ceil(columns / 64), blocks]; combine foldGrid(ceil(columns / 64)).

struct Parameters {
  rows: u32,
  columns: u32,
  rowsPerBlock: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> g: array<f32>;

@group(0) @binding(2) var<storage, read_write> inverseDeviation: array<f32>;
@group(0) @binding(3) var<storage, read_write> dgamma: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbeta: array<f32>;

fn store(block: u32, column: u32, gradients: f32, products: f32) {
  let place = 2u * block * parameters.columns + column;
  partials[place] = gradients;
  partials[place + parameters.columns] = products;
}

@compute @workgroup_size(64)
fn plain(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = group.x * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  let first = group.y * parameters.rowsPerBlock;
  let end = min(first + parameters.rowsPerBlock, parameters.rows);
  let center = mean[column];
  var gradients = 0.0;
  var products = 0.0;
  for (var row = first; row < end; row++) {
    let i = row * parameters.columns + column;
    gradients += dy[i];
    products += dy[i] * (x[i] - center);
  }
  store(group.y, column, gradients, products);
}

@compute @workgroup_size(64)
fn masked(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = group.x * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  let first = group.y * parameters.rowsPerBlock;
  let end = min(first + parameters.rowsPerBlock, parameters.rows);
  let center = mean[column];
  var gradients = 0.0;
  var products = 0.0;
  for (var row = first; row < end; row++) {
    let i = row * parameters.columns + column;
    let gradient = select(dy[i], 0.0, y[i] <= 0.0);
    g[i] = gradient;
    gradients += gradient;
    products += gradient * (x[i] - center);
  }
  store(group.y, column, gradients, products);
}

@compute @workgroup_size(64)
fn combine(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let column = (group.x + group.y * grid.x) * 64u + invocation;
  if (column >= parameters.columns) {
    return;
  }
  let blocks = (parameters.rows + parameters.rowsPerBlock - 1u) / parameters.rowsPerBlock;
  var gradients = 0.0;
  var products = 0.0;
  for (var block = 0u; block < blocks; block++) {
    let place = 2u * block * parameters.columns + column;
    gradients += partials[place];
    products += partials[place + parameters.columns];
  }
  dbeta[column] = gradients;
  dgamma[column] = inverseDeviation[column] * products;
}
