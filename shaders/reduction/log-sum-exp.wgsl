// y = log(sum of exp(x)), row by row: m + log(sum of exp(x - m)) with m the greatest of the row, so that nothing overflows.
// A row of -Infinity alone gives -Infinity, one with +Infinity gives that, one with NaN gives NaN.
//
// x   [rows, width] f32
// y   [rows] f32
// Library: not-a-number.wgsl with Element = f32, Index = u32.
// Dispatch: foldGrid(ceil(rows / (WORKGROUP_SIZE / INVOCATIONS))).
// Constants: WORKGROUP_SIZE; INVOCATIONS, the invocations that share a row (1 needs no workgroup memory).

struct Parameters {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> ofInvocations: array<f32, WORKGROUP_SIZE>;

// By bits: a compiler may assume that no value is infinite.
fn isInfinite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) == 0x7f800000u;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let row = (group.x + group.y * grid.x) * (WORKGROUP_SIZE / INVOCATIONS) + invocation / INVOCATIONS;
  // Invocations past the last row have nothing to add, but stay for the barriers.
  let start = min(row, parameters.rows - 1u) * parameters.width;
  let begin = start + invocation % INVOCATIONS;
  let end = select(0u, start + parameters.width, row < parameters.rows);
  let firstOfRow = invocation / INVOCATIONS * INVOCATIONS;

  var highest = x[start];
  for (var i = begin; i < end; i += INVOCATIONS) {
    highest = select(highest, x[i], x[i] > highest);
  }
  if (INVOCATIONS > 1u) {
    ofInvocations[invocation] = highest;
    workgroupBarrier();
    for (var other = 0u; other < INVOCATIONS; other++) {
      let value = ofInvocations[firstOfRow + other];
      highest = select(highest, value, value > highest);
    }
    workgroupBarrier();
  }

  let infinite = isInfinite(highest);
  var total = 0.0;
  for (var i = begin; i < end; i += INVOCATIONS) {
    total += keepNan(select(exp(x[i] - highest), 0.0, infinite), x[i]);
  }
  if (INVOCATIONS > 1u) {
    ofInvocations[invocation] = total;
    workgroupBarrier();
    total = 0.0;
    for (var other = 0u; other < INVOCATIONS; other++) {
      total += ofInvocations[firstOfRow + other];
    }
  }
  if (row < parameters.rows && invocation % INVOCATIONS == 0u) {
    y[row] = keepNan(select(highest + log(total), highest, infinite), total);
  }
}
