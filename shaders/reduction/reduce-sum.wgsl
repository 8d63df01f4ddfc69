// One level of a sum: sums[g] = factor * (sum of the g-th span of values), or of a[i] * b[i].
//
// values, or a and b   [count] Element
// sums                 [ceil(count / span)] Element; four components are summed apart, a later level takes them as scalars
// Parameters: span = elements of a workgroup.
// Dispatch: foldGrid(ceil(count / span)) of either entry point. A level shortens its input by span, and the host adds
// levels until one workgroup is left. The order of all additions follows from count alone: equal inputs give equal bits.
// Constants: Element (vec4f or f32), WORKGROUP_SIZE (a power of two).

struct Parameters {
  count: u32,
  span: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;

@group(0) @binding(1) var<storage, read_write> values: array<Element>;
@group(0) @binding(2) var<storage, read_write> sums: array<Element>;

@group(0) @binding(1) var<storage, read_write> a: array<Element>;
@group(0) @binding(2) var<storage, read_write> b: array<Element>;
@group(0) @binding(3) var<storage, read_write> productSums: array<Element>;

var<workgroup> partialSums: array<Element, WORKGROUP_SIZE>;

/// The sum over the workgroup of what each invocation brings; valid in invocation 0.
fn sumOfInvocations(partial: Element, invocation: u32) -> Element {
  partialSums[invocation] = partial;
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (invocation < width) {
      partialSums[invocation] += partialSums[invocation + width];
    }
  }
  return partialSums[0];
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sumValues(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let group = id.x + id.y * grid.x;
  let first = group * parameters.span;
  let end = min(first + parameters.span, parameters.count);
  var partial = Element();
  for (var i = first + invocation; i < end; i += WORKGROUP_SIZE) {
    partial += values[i];
  }
  let sum = sumOfInvocations(partial, invocation);
  // A folded grid may have workgroups beyond the last span.
  if (invocation == 0 && first < parameters.count) {
    sums[group] = sum * parameters.factor;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sumProducts(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let group = id.x + id.y * grid.x;
  let first = group * parameters.span;
  let end = min(first + parameters.span, parameters.count);
  var partial = Element();
  for (var i = first + invocation; i < end; i += WORKGROUP_SIZE) {
    partial += a[i] * b[i];
  }
  let sum = sumOfInvocations(partial, invocation);
  if (invocation == 0 && first < parameters.count) {
    productSums[group] = sum * parameters.factor;
  }
}
