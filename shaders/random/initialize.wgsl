// Random numbers by element: uniform in [-bound, bound), or normal with a standard deviation and mean 0.
//
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) turns a counter and a
// key into four words, so that each element is computed by itself. An adapter's log, sin and cos differ from another's in
// the last bits; here everything up to the last multiplication is exact in integers or floats, and that multiplication
// is rounded as IEEE 754 says: all adapters, and the CPU, give equal bits.
//   uniform   element e takes the upper 24 bits of word e: values[e] = (bits - 2^23) / 2^23 * scale, scale = bound
//   normal    element e takes words 6e .. 6e + 5 as twelve 16-bit numbers; their sum has mean 6 * 65535 and deviation
//             65536 to within 2e-10 (Irwin and Hall): values[e] = (sum - 393210) / 65536 * scale, scale = deviation.
//             It never leaves 6 deviations, and its tails are a little thin: its excess kurtosis is -0.1.
// Word w of the stream is word w mod 4 of Philox(counter = [w / 4, 0, address0, address1], key).
//
// values   [count] f32
// Dispatch: foldGrid(ceil(ceil(count / 4) / WORKGROUP_SIZE)), an invocation four elements.
// Constants: NORMAL, WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  key0: u32,
  key1: u32,
  address0: u32,
  address1: u32,
  scale: f32,
  firstGroup: u32, // of four elements, where values are a slice
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

/// The upper 32 bits of a 64-bit product, put together from 16-bit halves.
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffff;
  let aHigh = a >> 16;
  let bLow = b & 0xffff;
  let bHigh = b >> 16;
  // Neither sum overflows: (2^16 - 1)^2 + 2 (2^16 - 1) is below 2^32.
  let middle = aHigh * bLow + ((aLow * bLow) >> 16);
  let carried = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >> 16) + (carried >> 16);
}

fn philox(block: u32) -> vec4u {
  var c = vec4u(block, 0, parameters.address0, parameters.address1);
  var key = vec2u(parameters.key0, parameters.key1);
  for (var round = 0; round < 10; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    c = vec4u(high1 ^ c.y ^ key.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ key.y, 0xd2511f53u * c.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

fn halves(words: vec4u) -> vec4u {
  return (words & vec4u(0xffff)) + (words >> vec4u(16));
}

/// Four elements in units of the scale, exact.
fn fourElements(group: u32) -> vec4f {
  if (NORMAL) {
    // Six blocks hold the words of four elements: 0 and half of 1, the rest of 1 and 2, and again.
    var sums: vec4u;
    for (var pair = 0u; pair < 2; pair++) {
      let first = halves(philox(6 * group + 3 * pair));
      let middle = halves(philox(6 * group + 3 * pair + 1));
      let last = halves(philox(6 * group + 3 * pair + 2));
      let both = vec2u(
        first.x + first.y + first.z + first.w + middle.x + middle.y,
        middle.z + middle.w + last.x + last.y + last.z + last.w,
      );
      sums = select(vec4u(sums.xy, both), vec4u(both, sums.zw), pair == 0);
    }
    return vec4f(vec4i(sums) - vec4i(393210)) * (1.0 / 65536.0);
  }
  return vec4f(vec4i(philox(group) >> vec4u(8)) - vec4i(8388608)) * (1.0 / 8388608.0);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let group = (id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (4 * group >= parameters.count) {
    return;
  }
  let four = fourElements(parameters.firstGroup + group) * parameters.scale;
  for (var i = 0u; i < min(4, parameters.count - 4 * group); i++) {
    values[4 * group + i] = four[i];
  }
}
