// One level of the sum of reduce-sum-1-naive.wgsl: sums[i] = factor * (the sum of values[j] over j = i, i + invocations, i + 2 invocations, ...).
//
// Rung 2: many invocations, neighbours of which read neighbouring numbers, a few hundred numbers each. A second dispatch adds what they
// have found, in one invocation.
//
// values [count]   sums [invocations]
// Dispatch: [ceil(invocations / 64)].

struct Parameters {
  count: u32,
  invocations: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= parameters.invocations) {
    return;
  }
  var total = 0.0;
  for (var i = id.x; i < parameters.count; i += parameters.invocations) {
    total += values[i];
  }
  sums[id.x] = total * parameters.factor;
}
