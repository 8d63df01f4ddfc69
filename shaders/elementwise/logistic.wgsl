// The logistic function and its derivative. exp gets no positive argument, so that nothing overflows.
//
// A library, no shader: put before those that use it, behind not-a-number.wgsl. Constants: Element.

fn logistic(x: Element) -> Element {
  let e = exp(-abs(x));
  return keepNan(select(Element(1.0), e, x < Element()) / (1.0 + e), x);
}

// logistic(x) * (1 - logistic(x)), without the cancellation of the difference.
fn logisticSlope(x: Element) -> Element {
  let e = exp(-abs(x));
  return e / ((1.0 + e) * (1.0 + e));
}
