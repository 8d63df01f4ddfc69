// The total of the partial sums of a reduction that was split over workgroups (split-K).
//
// A library, no shader. The shader declares `partialSums`, [count, length] Element, and the type Element.

// The sum of the partial sums of the element at `place`, in the order of the splits.
fn totalOf(place: u32, length: u32, count: u32) -> Element {
  var total = partialSums[place];
  for (var partial = 1u; partial < count; partial++) {
    total += partialSums[partial * length + place];
  }
  return total;
}
