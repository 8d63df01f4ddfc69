// result = f(operands), element by element; operands are broadcast as NumPy does.
//
// result   [count] Stored
// Dispatch: kernels/elementwise/pointwise.ts, which puts before it the bindings of the operands, from 2 on, and the function:
//   compute(i) -> Element, for element i of
//   the launch. A workgroup visits `span` elements, its invocations one vector after the other.
// Constants: Element (vec4f, or f32 where vectors would cross rows), Index (the same of u32), Stored (Element, or the same of f16), WORKGROUP_SIZE, AXES.

struct Parameters {
  count: u32,
  span: u32,
  first: u32, // the element of the whole result at which this launch begins
  unused: u32,
  values: vec4f, // the function's parameters
  axes: array<vec4u, AXES>, // for each axis, outermost first: size, and the strides of the operands
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> result: array<Stored>;

// Where the elements of broadcast operands for element i of the launch are stored.
fn indicesOf(i: u32) -> vec3u {
  var rest = parameters.first + i;
  var indices = vec3u();
  for (var inner = AXES; inner > 0u; inner--) {
    let axis = parameters.axes[inner - 1u];
    indices += rest % axis.x * axis.yzw;
    rest /= axis.x;
  }
  return indices;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    result[i] = Stored(compute(i));
  }
}
