// Mean and squared differences of some numbers of a column, and how those of two sets are put together.
//
// A library, no shader: put before those that compute a variance. Nothing large is subtracted from something large: the squares of each
// set are taken about its own mean, and what two sets add to each other is never negative (Chan, Golub and LeVeque 1983, "Algorithms for
// computing the sample variance"). A sum about a fixed shift, such as the first number, cancels where that number is an outlier.
// Constants: Element (vec4f, or f32), a column or four of them.

struct Moments {
  count: f32,
  // The mean, as the sum of a float and what rounding it to that float left: a mean of 10,000 has a last place of 0.001.
  shift: Element,
  rest: Element,
  squares: Element,
}

fn momentsOfOne(a: Element) -> Moments {
  return Moments(1.0, a, Element(), Element());
}

fn momentsOfFour(a: Element, b: Element, c: Element, d: Element) -> Moments {
  let shift = 0.25 * ((a + b) + (c + d));
  let fromA = a - shift;
  let fromB = b - shift;
  let fromC = c - shift;
  let fromD = d - shift;
  let rest = 0.25 * ((fromA + fromB) + (fromC + fromD));
  return Moments(4.0, shift, rest, (fromA * fromA + fromB * fromB) + (fromC * fromC + fromD * fromD) - 4.0 * rest * rest);
}

fn merged(a: Moments, b: Moments) -> Moments {
  if (a.count == 0.0) {
    return b;
  }
  let count = a.count + b.count;
  let difference = (b.shift - a.shift) + (b.rest - a.rest);
  let step = difference * (b.count / count);
  let rest = a.rest + step;
  let shift = a.shift + rest;
  return Moments(count, shift, (a.shift - shift) + rest, a.squares + b.squares + a.count * difference * step);
}
