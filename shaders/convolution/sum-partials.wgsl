// sum[i] = partialSums[0, i] + partialSums[1, i] + ... , in this order: the second pass of a reduction that was split over workgroups.
//
// partialSums  [splits, length] Element
// sum          [length] Element
// Library: partial-sums.wgsl.
// Dispatch: foldGrid(ceil(length / WORKGROUP_SIZE)); one invocation an element.
// Constants: Element (vec4f or f32), WORKGROUP_SIZE.

struct Parameters {
  length: u32,
  splits: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> partialSums: array<Element>;
@group(0) @binding(2) var<storage, read_write> sum: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.length) {
    sum[i] = totalOf(i, parameters.length, parameters.splits);
  }
}
