// The sum over the INVOCATIONS invocations that share a row.
//
// A library, no shader: put before those that reduce rows. Constants: WORKGROUP_SIZE; INVOCATIONS (1 needs no workgroup memory).

var<workgroup> invocationSums: array<f32, WORKGROUP_SIZE>;

// In the order of the invocations; every invocation gets it.
fn reduceInvocations(own: f32, invocation: u32) -> f32 {
  if (INVOCATIONS == 1u) {
    return own;
  }
  invocationSums[invocation] = own;
  workgroupBarrier();
  let first = invocation / INVOCATIONS * INVOCATIONS;
  var total = 0.0;
  for (var other = 0u; other < INVOCATIONS; other++) {
    total += invocationSums[first + other];
  }
  return total;
}
