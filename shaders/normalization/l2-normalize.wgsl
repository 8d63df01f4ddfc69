// f = x / max(norm, 1e-12), norm = sqrt(sum of x^2), row by row.
//
// x, f   [rows, width] f32
// norm   [rows] f32, not clamped
// Dispatch: foldGrid(ceil(rows / (WORKGROUP_SIZE / INVOCATIONS))).
// Constants: WORKGROUP_SIZE; INVOCATIONS, the invocations that share a row (1 needs no workgroup memory).

struct Parameters {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> f: array<f32>;
@group(0) @binding(3) var<storage, read_write> norm: array<f32>;

const LEAST_NORM = 1e-12f;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let row = (group.x + group.y * grid.x) * (WORKGROUP_SIZE / INVOCATIONS) + invocation / INVOCATIONS;
  // Invocations past the last row have nothing to add, but stay for the barrier.
  let begin = row * parameters.width + invocation % INVOCATIONS;
  let end = select(0u, (row + 1u) * parameters.width, row < parameters.rows);
  var squares = 0.0;
  for (var i = begin; i < end; i += INVOCATIONS) {
    squares += x[i] * x[i];
  }
  let length = sqrt(reduceInvocations(squares, invocation));
  // Not max(): that may swallow a NaN, which the training loop must get to see.
  let divisor = select(length, LEAST_NORM, length < LEAST_NORM);
  for (var i = begin; i < end; i += INVOCATIONS) {
    f[i] = x[i] / divisor;
  }
  if (row < parameters.rows && invocation % INVOCATIONS == 0u) {
    norm[row] = length;
  }
}
