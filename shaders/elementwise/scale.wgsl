// scaled = values * factor, the factor an operand or a parameter.
//
// values, scaled   [count] Element
// factor           [1] f32
// Entry points: byOperand, byParameter. Dispatch: foldGrid(ceil(count / span)); a workgroup scales `span` elements, its invocations one vector after the other.
// Constants: Element (vec4f, or f32 where the length is no multiple of four), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  span: u32,
  factor: f32, // for byParameter
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> values: array<Element>;
@group(0) @binding(2) var<storage, read_write> scaled: array<Element>;
@group(0) @binding(3) var<storage, read_write> factor: array<f32, 1>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn byOperand(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    scaled[i] = values[i] * factor[0];
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn byParameter(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    scaled[i] = values[i] * parameters.factor;
  }
}
