// The order of a ranking, as integers: a score becomes a key that rises with it, and NO_KEY is below all keys of numbers.
//
// The tests are on bits: WGSL lets a compiler assume that neither NaN nor infinity occurs, and so drop any test on floats.

const NO_KEY = 0u;
const NO_ITEM = 0xffffffffu;
const MINUS_INFINITY = 0xff800000u;

/// NO_KEY for NaN, which is never selected; 0 and -0 are equal.
fn keyOf(score: f32) -> u32 {
  let bits = bitcast<u32>(score);
  let key = select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
  return select(key, NO_KEY, (bits & 0x7fffffffu) > 0x7f800000u);
}

/// The bits of the score of a key; those of -Infinity where there is none.
fn scoreBits(key: u32) -> u32 {
  return select(select(~key, key ^ 0x80000000u, key >= 0x80000000u), MINUS_INFINITY, key == NO_KEY);
}
