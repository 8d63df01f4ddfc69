// dw[kh, kw, i, o] = sum over n, u, v of x[n, u sy - py + kh, v sx - px + kw, i] dy[n, u, v, o], zero outside x.
//
// Rung 1: one invocation a weight, which iterates over all pixels of all images. ResNet50's stem has 12,544 weights and 50,176
// pixels at batch 4 and 224x224: few invocations, each of them long.
//
// x [batch, height, width, inputs]   dy [batch, outputHeight, outputWidth, outputs]   dw [kernelHeight, kernelWidth, inputs, outputs]
// Library: convolution-parameters.wgsl.
// Dispatch: foldGrid(ceil(length of dw / 64)).

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let place = (group.x + group.y * grid.x) * 64u + invocation;
  if (place >= p.kernelHeight * p.kernelWidth * p.sourceChannels * p.destinationChannels) {
    return;
  }
  let o = place % p.destinationChannels;
  let i = place / p.destinationChannels % p.sourceChannels;
  let tap = place / (p.destinationChannels * p.sourceChannels);
  let kh = tap / p.kernelWidth;
  let kw = tap % p.kernelWidth;
  var sum = 0.0;
  for (var n = 0u; n < p.batch; n++) {
    for (var u = 0u; u < p.destinationHeight; u++) {
      let h = i32(u * p.strideY + kh) - i32(p.paddingY);
      if (h < 0 || h >= i32(p.sourceHeight)) {
        continue;
      }
      for (var v = 0u; v < p.destinationWidth; v++) {
        let c = i32(v * p.strideX + kw) - i32(p.paddingX);
        if (c < 0 || c >= i32(p.sourceWidth)) {
          continue;
        }
        let source = ((n * p.sourceHeight + u32(h)) * p.sourceWidth + u32(c)) * p.sourceChannels + i;
        sum = fma(x[source], dy[((n * p.destinationHeight + u) * p.destinationWidth + v) * p.destinationChannels + o], sum);
      }
    }
  }
  dw[place] = sum;
}
