// The sum over the LANES invocations that share a row.
//
// A library, no shader: put before those that reduce rows. Constants: WORKGROUP_SIZE; LANES (1 needs no workgroup memory).

var<workgroup> laneSums: array<f32, WORKGROUP_SIZE>;

// In the order of the lanes; every lane gets it.
fn reduceLanes(own: f32, lane: u32) -> f32 {
  if (LANES == 1u) {
    return own;
  }
  laneSums[lane] = own;
  workgroupBarrier();
  let first = lane / LANES * LANES;
  var total = 0.0;
  for (var other = 0u; other < LANES; other++) {
    total += laneSums[first + other];
  }
  return total;
}
