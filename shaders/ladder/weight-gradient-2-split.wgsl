// The weight gradient of weight-gradient-1-naive.wgsl, whose operands these are.
//
// Rung 2: the pixels are split into parts, and one invocation sums one part for one weight: `parts` times as many
// invocations, each as much shorter. A second dispatch (sum-partials.wgsl) adds the parts in a fixed order.
//
// partial [parts, length of dw]; a part has pixelsPerPartial output pixels, counted over all images
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(length of dw / 64), parts].

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let place = group.x * 64u + invocation;
  let length = p.kernelHeight * p.kernelWidth * p.sourceChannels * p.destinationChannels;
  if (place >= length) {
    return;
  }
  let o = place % p.destinationChannels;
  let i = place / p.destinationChannels % p.sourceChannels;
  let tap = place / (p.destinationChannels * p.sourceChannels);
  let kh = tap / p.kernelWidth;
  let kw = tap % p.kernelWidth;
  let first = group.y * p.pixelsPerSplit;
  let last = min(first + p.pixelsPerSplit, p.batch * p.destinationHeight * p.destinationWidth);
  var sum = 0.0;
  for (var pixel = first; pixel < last; pixel++) {
    let h = i32(pixel / p.destinationWidth % p.destinationHeight * p.strideY + kh) - i32(p.paddingY);
    let c = i32(pixel % p.destinationWidth * p.strideX + kw) - i32(p.paddingX);
    if (h >= 0 && h < i32(p.sourceHeight) && c >= 0 && c < i32(p.sourceWidth)) {
      let image = pixel / (p.destinationWidth * p.destinationHeight);
      sum = fma(x[((image * p.sourceHeight + u32(h)) * p.sourceWidth + u32(c)) * p.sourceChannels + i], dy[pixel * p.destinationChannels + o], sum);
    }
  }
  partial[group.y * length + place] = sum;
}
