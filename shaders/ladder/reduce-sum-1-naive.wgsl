// sum = factor * (values[0] + ... + values[count - 1]).
//
// Rung 1: one invocation for the one output, in the order of the values. Each addition waits for the one before.
//
// values [count]   sum [1]
// Dispatch: [1].

struct Parameters {
  count: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum: array<f32, 1>;

@compute @workgroup_size(1)
fn main() {
  var total = 0.0;
  for (var i = 0u; i < parameters.count; i++) {
    total += values[i];
  }
  sum[0] = total * parameters.factor;
}
