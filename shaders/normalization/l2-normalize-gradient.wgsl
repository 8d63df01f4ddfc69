// The gradient of l2-normalize.wgsl, row by row:
//
//   norm >= 1e-12:   dx = (dy - f (f . dy)) / norm     f = x / |x| has the Jacobian (I - f f^T) / |x|
//   norm <  1e-12:   dx = dy / 1e-12                   there f = x / 1e-12 is linear
//
// f, dy, dx   [rows, width] f32
// norm        [rows] f32, not clamped
// Dispatch: foldGrid(ceil(rows / (WORKGROUP_SIZE / INVOCATIONS))).
// Constants: WORKGROUP_SIZE; INVOCATIONS, the invocations that share a row (1 needs no workgroup memory).

struct Parameters {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> f: array<f32>;
@group(0) @binding(2) var<storage, read_write> norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const LEAST_NORM = 1e-12f;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let row = (group.x + group.y * grid.x) * (WORKGROUP_SIZE / INVOCATIONS) + invocation / INVOCATIONS;
  // Invocations past the last row have nothing to add, but stay for the barrier.
  let begin = row * parameters.width + invocation % INVOCATIONS;
  let end = select(0u, (row + 1u) * parameters.width, row < parameters.rows);
  var products = 0.0;
  for (var i = begin; i < end; i += INVOCATIONS) {
    products += f[i] * dy[i];
  }
  let length = norm[min(row, parameters.rows - 1u)];
  let clamped = length < LEAST_NORM;
  let projection = select(reduceInvocations(products, invocation), 0.0, clamped);
  let divisor = select(length, LEAST_NORM, clamped);
  for (var i = begin; i < end; i += INVOCATIONS) {
    dx[i] = (dy[i] - f[i] * projection) / divisor;
  }
}
