// destination[e] = source[e]. Measures the best bandwidth that an adapter gives to a kernel that reads as much as it writes.
//
// source, destination   [count] Elements
// An invocation copies EACH Elements, WORKGROUP_SIZE apart, so that neighboring invocations touch neighboring Elements.
// Dispatch: foldGrid(ceil(count / (EACH * WORKGROUP_SIZE))).
// Constants: Element (f32 or vec4f), EACH, WORKGROUP_SIZE.

struct Parameters {
  count: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> destination: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let first = (group.x + group.y * grid.x) * WORKGROUP_SIZE * EACH + invocation;
  for (var e = 0u; e < EACH; e++) {
    let place = first + e * WORKGROUP_SIZE;
    if (place < parameters.count) {
      destination[place] = source[place];
    }
  }
}
