// Images as they were decoded, to the network's input: warped, normalized, NHWC with a fourth channel of zeros.
//
// Output pixel (x, y) of image n is read at source_x = a x + b y + c, source_y = d x + e y + f, where whole numbers are the
// centers of source pixels. It is the bilinear mean of the four pixels around; those outside the source have the fill color.
//   output[n, y, x, channel] = value * slope[channel] + intercept[channel], channel 3: 0
// with slope = 1 / (255 deviation) and intercept = -mean / deviation.
//
// images       [ceil(count * source * source * 3 / 4)] u32: bytes [count, source, source, 3], the first in the lowest bits
// transforms   [count, 3] vec4f: a b c d, e f and fill red, green (0..255), fill blue and three of padding
// output       [count, size, size] Stored
// Dispatch: foldGrid(ceil(count * size * size / WORKGROUP_SIZE)); one invocation a pixel.
// Constants: Stored (vec4f or vec4<f16>), WORKGROUP_SIZE.

struct Parameters {
  count: u32,
  source: u32,
  size: u32,
  words: u32, // length of images
  slopeRed: f32,
  slopeGreen: f32,
  slopeBlue: f32,
  interceptRed: f32,
  interceptGreen: f32,
  interceptBlue: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> images: array<u32>;
@group(0) @binding(2) var<storage, read_write> transforms: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> output: array<Stored>;

/// A source pixel; the fill color where it lies outside.
fn pixel(image: u32, x: i32, y: i32, fill: vec3f) -> vec3f {
  let side = i32(parameters.source);
  if (x < 0 || y < 0 || x >= side || y >= side) {
    return fill;
  }
  let byte = 3 * ((image * parameters.source + u32(y)) * parameters.source + u32(x));
  // Three bytes lie in one word or in two neighbors.
  let word = byte / 4;
  let shift = 8 * (byte % 4);
  let low = images[word] >> shift;
  let next = images[min(word + 1, parameters.words - 1)];
  // A shift by 32 is not defined, hence the two steps.
  let bits = low | ((next << (31 - shift)) << 1);
  return vec3f(vec3u(bits, bits >> 8, bits >> 16) & vec3u(255));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (id.x + id.y * grid.x) * WORKGROUP_SIZE + invocation;
  let pixels = parameters.size * parameters.size;
  if (i >= parameters.count * pixels) {
    return;
  }
  let image = i / pixels;
  let x = f32(i % parameters.size);
  let y = f32(i % pixels / parameters.size);
  let first = transforms[3 * image];
  let second = transforms[3 * image + 1];
  let fill = vec3f(second.zw, transforms[3 * image + 2].x);

  // Far outside all is fill; the clamp keeps the conversion to integers defined.
  let limit = f32(parameters.source) + 1.0;
  let sourceX = clamp(first.x * x + first.y * y + first.z, -2.0, limit);
  let sourceY = clamp(first.w * x + second.x * y + second.y, -2.0, limit);
  let left = floor(sourceX);
  let top = floor(sourceY);
  let column = i32(left);
  let row = i32(top);
  let upper = mix(pixel(image, column, row, fill), pixel(image, column + 1, row, fill), sourceX - left);
  let lower = mix(pixel(image, column, row + 1, fill), pixel(image, column + 1, row + 1, fill), sourceX - left);
  let color = mix(upper, lower, sourceY - top);

  let slope = vec3f(parameters.slopeRed, parameters.slopeGreen, parameters.slopeBlue);
  let intercept = vec3f(parameters.interceptRed, parameters.interceptGreen, parameters.interceptBlue);
  output[i] = Stored(vec4f(color * slope + intercept, 0.0));
}
