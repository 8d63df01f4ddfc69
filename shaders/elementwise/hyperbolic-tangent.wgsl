// tanh. WGSL allows its own an absolute error of 1e-5, and some drivers' overflows.
//
// A library, no shader: put before those that use it. Constants: Element.

// Near 0, where the quotient would cancel, a minimax polynomial of the relative error over |x| <= 0.5: below 1.4e-8.
fn hyperbolicTangent(x: Element) -> Element {
  let square = x * x;
  var p = 0.01713511199553726 * square - 0.05298613463611224;
  p = p * square + 0.13324780432228117;
  p = p * square - 0.3333306947159808;
  let near = x + x * square * p;
  let e = exp(-2.0 * abs(x));
  let far = (1.0 - e) / (1.0 + e);
  return select(near, select(far, -far, x < Element()), abs(x) > Element(0.5));
}
