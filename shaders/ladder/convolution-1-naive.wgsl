// y[n, u, v, o] = sum over kh, kw, i of x[n, u sy - py + kh, v sx - px + kw, i] w[kh, kw, i, o], zero outside x.
//
// Rung 1: one invocation an output, as the definition reads. Every factor comes from memory each time that it is needed:
// two loads for a multiply-add.
//
// x [batch, height, width, inputs]   w [kernelHeight, kernelWidth, inputs, outputs]   y [batch, outputHeight, outputWidth, outputs]
// Library: convolution-parameters.wgsl.
// Dispatch: foldGrid(ceil(length of y / 64)).

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let place = (group.x + group.y * grid.x) * 64u + invocation;
  if (place >= p.batch * p.destinationHeight * p.destinationWidth * p.destinationChannels) {
    return;
  }
  let o = place % p.destinationChannels;
  let pixel = place / p.destinationChannels;
  let v = pixel % p.destinationWidth;
  let u = (pixel / p.destinationWidth) % p.destinationHeight;
  let n = pixel / (p.destinationWidth * p.destinationHeight);
  var sum = 0.0;
  for (var kh = 0u; kh < p.kernelHeight; kh++) {
    let h = i32(u * p.strideY + kh) - i32(p.paddingY);
    if (h < 0 || h >= i32(p.sourceHeight)) {
      continue;
    }
    for (var kw = 0u; kw < p.kernelWidth; kw++) {
      let c = i32(v * p.strideX + kw) - i32(p.paddingX);
      if (c < 0 || c >= i32(p.sourceWidth)) {
        continue;
      }
      let source = ((n * p.sourceHeight + u32(h)) * p.sourceWidth + u32(c)) * p.sourceChannels;
      let weight = (kh * p.kernelWidth + kw) * p.sourceChannels * p.destinationChannels + o;
      for (var i = 0u; i < p.sourceChannels; i++) {
        sum = fma(x[source + i], w[weight + i * p.destinationChannels], sum);
      }
    }
  }
  y[place] = sum;
}
