// result = f(a, b, c), element by element; operands are broadcast as NumPy does.
//
// result        [count] Stored
// a, b, c       StoredA, StoredB, StoredC; the result's length, or less where it is broadcast
// Entry points: unary, binary, ternary, by the number of operands.
// Dispatch: kernels/elementwise/pointwise.ts, which puts the function's library before: compute(a, b, c) -> Element. A workgroup visits `span` elements, its
//   invocations one vector after the other.
// Constants: Element (vec4f, or f32 where vectors would cross rows), Stored and StoredA ... (the same, of f32 or f16; a scalar where the operand is constant along the
//   innermost axis), LoadedA ... (StoredA in f32), WORKGROUP_SIZE, BROADCAST (whether any operand is broadcast) and BROADCAST_A ..., AXES.

struct Parameters {
  count: u32,
  span: u32,
  first: u32, // the element of the whole result at which this launch begins
  unused: u32,
  values: vec4f, // the function's parameters
  axes: array<vec4u, AXES>, // for each axis, outermost first: size, and the strides of a, b, c
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> result: array<Stored>;
@group(0) @binding(2) var<storage, read_write> a: array<StoredA>;
@group(0) @binding(3) var<storage, read_write> b: array<StoredB>;
@group(0) @binding(4) var<storage, read_write> c: array<StoredC>;

// Where the operands' elements for an element of the result are stored.
fn indicesOf(i: u32) -> vec3u {
  if (!BROADCAST) {
    return vec3u(i);
  }
  var rest = parameters.first + i;
  var strided = vec3u();
  for (var axis = AXES - 1u; axis > 0u; axis--) {
    let size = parameters.axes[axis].x;
    strided += rest % size * parameters.axes[axis].yzw;
    rest /= size;
  }
  strided += rest * parameters.axes[0].yzw;
  return select(vec3u(i), strided, vec3<bool>(BROADCAST_A, BROADCAST_B, BROADCAST_C));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn unary(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    let at = indicesOf(i);
    result[i] = Stored(compute(Element(LoadedA(a[at.x])), Element(), Element()));
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn binary(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    let at = indicesOf(i);
    result[i] = Stored(compute(Element(LoadedA(a[at.x])), Element(LoadedB(b[at.y])), Element()));
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn ternary(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let start = (group.x + group.y * grid.x) * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    let at = indicesOf(i);
    result[i] = Stored(compute(Element(LoadedA(a[at.x])), Element(LoadedB(b[at.y])), Element(LoadedC(c[at.z]))));
  }
}
