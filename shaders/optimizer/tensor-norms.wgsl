// What LAMB and LARS have in common: norms of whole tensors in a flat arena. A tensor is cut into segments, and a workgroup
// takes one. A first dispatch writes two sums of squares a segment, the next one adds those of a tensor's segments, always in the same order.
// Needs WORKGROUP_SIZE, a power of two.

struct Segment {
  // Blocks of 64 elements.
  firstBlock: u32,
  endBlock: u32,
  // Parameter group.
  group: u32,
  // 1 where the trust ratio applies, 0 where it is 1.
  adapted: u32,
  // All segments of the tensor.
  firstSegment: u32,
  endSegment: u32,
}

const VECTORS_IN_A_BLOCK = 16u;

var<workgroup> sums: array<vec2f, WORKGROUP_SIZE>;

// The sum over the workgroup's invocations. Every invocation gets it; to be called once.
fn sumOfWorkgroup(value: vec2f, invocation: u32) -> vec2f {
  sums[invocation] = value;
  for (var half = u32(WORKGROUP_SIZE) / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (invocation < half) {
      sums[invocation] += sums[invocation + half];
    }
  }
  workgroupBarrier();
  return sums[0];
}
