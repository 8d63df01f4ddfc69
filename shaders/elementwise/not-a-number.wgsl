// NaN in, NaN out. WGSL lets a compiler assume that there is no NaN: `x != x` becomes false, and exp, log, max and pow of some
// drivers give numbers for it. Bits tell.
//
// A library, no shader: put before those that use it. Constants: Element, Index (u32, or vec4u for vectors).

// `value`, or x where that is NaN.
fn keepNan(value: Element, x: Element) -> Element {
  return select(value, x, (bitcast<Index>(x) & Index(0x7fffffffu)) > Index(0x7f800000u));
}

// NaN, whatever x is: WGSL has no constant for it.
fn notANumber(x: Element) -> Element {
  return bitcast<Element>(bitcast<Index>(x) | Index(0x7fc00000u));
}

// log. WGSL defines it for positive finite numbers: at 0 it is -Infinity here, at Infinity that, and NaN for negative ones.
fn logarithm(x: Element) -> Element {
  let zero = Element();
  let y = select(select(log(x), -1.0 / abs(x), x == zero), x, x > Element(3.4028234663852886e38));
  return keepNan(select(y, notANumber(x), x < zero), x);
}
