// The weight gradient of weight-gradient-1-naive.wgsl, whose operands these are.
//
// Rung 2: the pixels are split into parts, and one invocation sums one part for one weight: `parts` times as many
// invocations, each as much shorter. A second dispatch (sum-partials.wgsl) adds the parts in a fixed order.
//
// partial [parts, length of dw]; a part has pixelsPerPartial output pixels, counted over all images
// Dispatch: [ceil(length of dw / 64), parts].

struct Parameters {
  batch: u32,
  height: u32,
  width: u32,
  inputs: u32,
  outputHeight: u32,
  outputWidth: u32,
  outputs: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  paddingY: u32,
  paddingX: u32,
  pixelsPerPartial: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let place = group.x * 64u + invocation;
  let length = p.kernelHeight * p.kernelWidth * p.inputs * p.outputs;
  if (place >= length) {
    return;
  }
  let o = place % p.outputs;
  let i = place / p.outputs % p.inputs;
  let tap = place / (p.outputs * p.inputs);
  let kh = tap / p.kernelWidth;
  let kw = tap % p.kernelWidth;
  let first = group.y * p.pixelsPerPartial;
  let last = min(first + p.pixelsPerPartial, p.batch * p.outputHeight * p.outputWidth);
  var sum = 0.0;
  for (var pixel = first; pixel < last; pixel++) {
    let h = i32(pixel / p.outputWidth % p.outputHeight * p.strideY + kh) - i32(p.paddingY);
    let c = i32(pixel % p.outputWidth * p.strideX + kw) - i32(p.paddingX);
    if (h >= 0 && h < i32(p.height) && c >= 0 && c < i32(p.width)) {
      let image = pixel / (p.outputWidth * p.outputHeight);
      sum = fma(x[((image * p.height + u32(h)) * p.width + u32(c)) * p.inputs + i], dy[pixel * p.outputs + o], sum);
    }
  }
  partial[group.y * length + place] = sum;
}
