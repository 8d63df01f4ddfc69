// Counts the elements that are NaN or infinite, and finds the first of them.
//
// A float is finite unless its eight exponent bits are all ones. The test is on bits: WGSL lets a compiler assume that
// neither NaN nor infinity occurs, and so drop any test on floats.
//
// values   [count] Element, the bits of f32
// counts, firsts   [groups] Element, a pair for each workgroup and component: how many, and the least index into values
//                  (NONE if there is none)
// report   [2] u32: the number of elements that are not finite, and the index of the first (NONE if all are finite)
// Entry points: scan, dispatch foldGrid(groups = ceil(count / span)); combine, one workgroup, with count = groups * COMPONENTS.
// Constants: Element (vec4u or u32), COMPONENTS (4 or 1) of an Element, WORKGROUP_SIZE (a power of two).

struct Parameters {
  count: u32,
  span: u32, // elements of a workgroup
  offset: u32, // of scan alone: the index of its first element, where it has a slice of the values
}

@group(0) @binding(0) var<uniform> parameters: Parameters;

@group(0) @binding(1) var<storage, read_write> values: array<Element>;
@group(0) @binding(2) var<storage, read_write> counts: array<Element>;
@group(0) @binding(3) var<storage, read_write> firsts: array<Element>;

@group(0) @binding(1) var<storage, read_write> allCounts: array<u32>;
@group(0) @binding(2) var<storage, read_write> allFirsts: array<u32>;
@group(0) @binding(3) var<storage, read_write> report: array<u32, 2>;

const NONE = 0xffffffffu;
const EXPONENT = 0x7f800000u;
const LOWEST_EXPONENT_BIT = 0x00800000u;

var<workgroup> countOfInvocations: array<Element, WORKGROUP_SIZE>;
var<workgroup> firstOfInvocations: array<Element, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn scan(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let group = id.x + id.y * grid.x;
  let start = group * parameters.span;
  let end = min(start + parameters.span, parameters.count);
  var count = Element();
  var first = Element(NONE);
  for (var i = start + invocation; i < end; i += WORKGROUP_SIZE) {
    // An exponent of ones, and no other, carries into bit 31: special is 1 for NaN and infinity, 0 for a number.
    let special = ((values[i] & Element(EXPONENT)) + Element(LOWEST_EXPONENT_BIT)) >> Element(31u);
    count += special;
    first = min(first, Element(parameters.offset + i) | (special - Element(1u)));
  }
  countOfInvocations[invocation] = count;
  firstOfInvocations[invocation] = first;
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (invocation < width) {
      countOfInvocations[invocation] += countOfInvocations[invocation + width];
      firstOfInvocations[invocation] = min(firstOfInvocations[invocation], firstOfInvocations[invocation + width]);
    }
  }
  // A folded grid may have workgroups beyond the last span.
  if (invocation == 0 && start < parameters.count) {
    counts[group] = countOfInvocations[0];
    firsts[group] = firstOfInvocations[0];
  }
}

var<workgroup> scalarCounts: array<u32, WORKGROUP_SIZE>;
var<workgroup> scalarFirsts: array<u32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn combine(@builtin(local_invocation_index) invocation: u32) {
  var count = 0u;
  var first = NONE;
  for (var i = invocation; i < parameters.count; i += WORKGROUP_SIZE) {
    count += allCounts[i];
    if (allFirsts[i] != NONE) {
      first = min(first, allFirsts[i] * COMPONENTS + i % COMPONENTS);
    }
  }
  scalarCounts[invocation] = count;
  scalarFirsts[invocation] = first;
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (invocation < width) {
      scalarCounts[invocation] += scalarCounts[invocation + width];
      scalarFirsts[invocation] = min(scalarFirsts[invocation], scalarFirsts[invocation + width]);
    }
  }
  if (invocation == 0) {
    report[0] = scalarCounts[0];
    report[1] = scalarFirsts[0];
  }
}
