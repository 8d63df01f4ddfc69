// dw[kh, kw, i, o] = sum over n, u, v of x[n, u sy - py + kh, v sx - px + kw, i] dy[n, u, v, o], zero outside x.
//
// Rung 1: one invocation a weight, which iterates over all pixels of all images. ResNet50's stem has 12,544 weights and 50,176
// pixels at batch 4 and 224x224: few invocations, each of them long.
//
// x [batch, height, width, inputs]   dy [batch, outputHeight, outputWidth, outputs]   dw [kernelHeight, kernelWidth, inputs, outputs]
// Dispatch: foldGrid(ceil(length of dw / 64)).

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
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let place = (group.x + group.y * grid.x) * 64u + invocation;
  if (place >= p.kernelHeight * p.kernelWidth * p.inputs * p.outputs) {
    return;
  }
  let o = place % p.outputs;
  let i = place / p.outputs % p.inputs;
  let tap = place / (p.outputs * p.inputs);
  let kh = tap / p.kernelWidth;
  let kw = tap % p.kernelWidth;
  var sum = 0.0;
  for (var n = 0u; n < p.batch; n++) {
    for (var u = 0u; u < p.outputHeight; u++) {
      let h = i32(u * p.strideY + kh) - i32(p.paddingY);
      if (h < 0 || h >= i32(p.height)) {
        continue;
      }
      for (var v = 0u; v < p.outputWidth; v++) {
        let c = i32(v * p.strideX + kw) - i32(p.paddingX);
        if (c < 0 || c >= i32(p.width)) {
          continue;
        }
        let source = ((n * p.height + u32(h)) * p.width + u32(c)) * p.inputs + i;
        sum = fma(x[source], dy[((n * p.outputHeight + u) * p.outputWidth + v) * p.outputs + o], sum);
      }
    }
  }
  dw[place] = sum;
}
