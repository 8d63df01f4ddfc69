// The convolution of convolution-1-naive.wgsl, whose operands and parameters these are, as a product of matrices:
// y [pixels, outputs] = patches [pixels, taps] w [taps, outputs], where a row of patches holds what an output pixel reads
// and is never written down; taps = kernelHeight * kernelWidth * inputs.
//
// Rung 3: a workgroup computes a tile of SIDE x SIDE outputs and brings SIDE taps at a time into workgroup memory, so that
// a number is loaded from memory once for SIDE multiply-adds. Each multiply-add still reads two numbers from workgroup memory.
//
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(pixels / SIDE), ceil(outputs / SIDE)].
// Limits: SIDE * SIDE invocations, 8 * SIDE * SIDE bytes of workgroup memory.
// Constants: SIDE.

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> patches: array<f32, SIDE * SIDE>; // [pixel][tap]
var<workgroup> weights: array<f32, SIDE * SIDE>; // [tap][output]

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let p = parameters;
  let pixels = p.batch * p.destinationHeight * p.destinationWidth;
  let taps = p.kernelHeight * p.kernelWidth * p.sourceChannels;
  let pixel = group.x * SIDE + local.y;
  let o = group.y * SIDE + local.x;
  let top = i32((pixel / p.destinationWidth) % p.destinationHeight * p.strideY) - i32(p.paddingY);
  let left = i32(pixel % p.destinationWidth * p.strideX) - i32(p.paddingX);
  let image = pixel / (p.destinationWidth * p.destinationHeight);
  var sum = 0.0;
  for (var start = 0u; start < taps; start += SIDE) {
    // Neighbouring invocations bring neighbouring taps of a pixel, and neighbouring outputs of a tap.
    let tap = start + local.x;
    let h = top + i32(tap / (p.kernelWidth * p.sourceChannels));
    let c = left + i32(tap / p.sourceChannels % p.kernelWidth);
    var value = 0.0;
    if (pixel < pixels && tap < taps && h >= 0 && h < i32(p.sourceHeight) && c >= 0 && c < i32(p.sourceWidth)) {
      value = x[((image * p.sourceHeight + u32(h)) * p.sourceWidth + u32(c)) * p.sourceChannels + tap % p.sourceChannels];
    }
    let row = start + local.y;
    var weight = 0.0;
    if (row < taps && o < p.destinationChannels) {
      weight = w[row * p.destinationChannels + o];
    }
    workgroupBarrier();
    patches[local.y * SIDE + local.x] = value;
    weights[local.y * SIDE + local.x] = weight;
    workgroupBarrier();
    for (var k = 0u; k < SIDE; k++) {
      sum = fma(patches[local.y * SIDE + k], weights[k * SIDE + local.x], sum);
    }
  }
  if (pixel < pixels && o < p.destinationChannels) {
    y[pixel * p.destinationChannels + o] = sum;
  }
}
