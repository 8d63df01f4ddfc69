// The convolution of convolution-1-naive.wgsl, whose operands and parameters these are.
//
// Rung 2: one invocation four neighbouring outputs of a pixel. A number of x serves four multiply-adds, and w comes as
// vectors: two loads for four multiply-adds, a quarter of the invocations.
//
// w [kernelHeight, kernelWidth, inputs, outputs / 4] and y [batch, outputHeight, outputWidth, outputs / 4] as vec4f;
// `outputs` counts floats and is a multiple of four.
// Library: convolution-parameters.wgsl.
// Dispatch: foldGrid(ceil(length of y / 4 / 64)).

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let columns = p.destinationChannels / 4u;
  let place = (group.x + group.y * grid.x) * 64u + invocation;
  if (place >= p.batch * p.destinationHeight * p.destinationWidth * columns) {
    return;
  }
  let o = place % columns;
  let pixel = place / columns;
  let v = pixel % p.destinationWidth;
  let u = (pixel / p.destinationWidth) % p.destinationHeight;
  let n = pixel / (p.destinationWidth * p.destinationHeight);
  var sum: vec4f;
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
      let weight = (kh * p.kernelWidth + kw) * p.sourceChannels * columns + o;
      for (var i = 0u; i < p.sourceChannels; i++) {
        sum = fma(vec4f(x[source + i]), w[weight + i * columns], sum);
      }
    }
  }
  y[place] = sum;
}
