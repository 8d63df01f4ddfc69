// targets[i, j] = 1 / (positives of i) where j is a positive of i, and 0 elsewhere; a row of zeros where i has none.
//
// A positive of i is another item of its class; with OTHER_DOMAIN, of its class and the other domain.
//
// labels, domains  [count] u32
// targets          [rows, count] f32: the rows from firstRow on
// Dispatch: foldGrid(ceil(rows / WORKGROUP_SIZE)); one invocation a row. Constants: OTHER_DOMAIN, WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  rows: u32,
  firstRow: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> domains: array<u32>;
@group(0) @binding(3) var<storage, read_write> targets: array<f32>;

fn isPositive(i: u32, j: u32) -> bool {
  return i != j && labels[i] == labels[j] && !(OTHER_DOMAIN && domains[i] == domains[j]);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let row = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (row >= parameters.rows) {
    return;
  }
  let i = parameters.firstRow + row;
  var positives = 0u;
  for (var j = 0u; j < parameters.count; j++) {
    positives += select(0u, 1u, isPositive(i, j));
  }
  let share = 1 / f32(max(positives, 1));
  for (var j = 0u; j < parameters.count; j++) {
    targets[row * parameters.count + j] = select(0, share, isPositive(i, j));
  }
}
