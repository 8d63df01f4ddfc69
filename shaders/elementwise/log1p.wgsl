// log(1 + x). WGSL has none, and its log is allowed an absolute error of 2^-21 near 1.
//
// A library, no shader: put before those that use it. Constants: Element.

// For x in [0, 1]: 2 artanh(s) with s = x / (2 + x) <= 1/3, as a series up to s^13. What is left out is below 1.6e-8 of it.
fn log1p(x: Element) -> Element {
  let s = x / (2.0 + x);
  let square = s * s;
  var p = 0.07692307692 * square + 0.09090909091;
  p = p * square + 0.1111111111;
  p = p * square + 0.1428571429;
  p = p * square + 0.2;
  p = p * square + 0.3333333333;
  return 2.0 * (s + s * square * p);
}
