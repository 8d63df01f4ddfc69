// a^b as C's pow: WGSL's is defined for positive a only.
//
// A library, no shader: put before those that use it, behind not-a-number.wgsl. Constants: Element, Index (u32, or vec4u for vectors).

fn power(a: Element, b: Element) -> Element {
  let zero = Element();
  let magnitude = pow(abs(a), b);
  let odd = fract(abs(b) * 0.5) == Element(0.5);
  var y = select(magnitude, -magnitude, (a < zero) & odd);
  y = select(y, select(zero, 1.0 / abs(a), b < zero), a == zero);
  // Only integers are exponents of finite negative numbers. Infinity is one.
  y = select(y, notANumber(a), (a < zero) & (a >= Element(-3.4028234663852886e38)) & (floor(b) != b));
  return select(keepNan(keepNan(y, a), b), Element(1.0), b == zero);
}
