// values[i, c] = c == labels[i] ? on : off; NaN in the row of a label that is no class.
//
// labels    [rows] u32
// values    [rows, classes] f32
// Dispatch: foldGrid(ceil(rows * classes / WORKGROUP_SIZE)); one invocation an element. Constants: WORKGROUP_SIZE.

struct Parameters {
  rows: u32,
  classes: u32,
  on: f32,
  off: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.rows * parameters.classes) {
    let label = labels[i / parameters.classes];
    let value = select(parameters.off, parameters.on, label == i % parameters.classes);
    values[i] = select(value, bitcast<f32>(label | 0x7fc00000u), label >= parameters.classes);
  }
}
