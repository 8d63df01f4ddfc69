// The standard normal distribution. WGSL has no error function.
//
// A library, no shader: put before those that use it. Constants: Element.

// P(X <= x). The tail P(X > |x|) = exp(-x^2 / 2) r(t), t = 1 / (1 + |x| / 4). The polynomial r is a minimax fit of the relative
// error over |x| <= 14.5, where the tail
// leaves the range of float32: below 4.3e-8. A small tail is thus right in relation to itself, which 1 + erf would not be.
fn normalDistribution(x: Element) -> Element {
  let t = 1.0 / (1.0 + 0.25 * abs(x));
  var r = 0.0334255844 * t - 0.193378374;
  r = r * t + 0.388489604;
  r = r * t - 0.324870437;
  r = r * t + 0.297396302;
  r = r * t - 0.0166035593;
  r = r * t + 0.120266445;
  r = r * t + 0.0950989202;
  r = r * t + 0.100195348;
  r = r * t - 1.98547132e-05;
  let tail = exp(-0.5 * x * x) * r;
  return select(1.0 - tail, tail, x < Element());
}
