// y[r, c] = relu?((partialSums[0, r, c] + partialSums[1, r, c] + ...) * scale[c] + shift[c] + residual[r, c]), added in this order: the second
// pass of a convolution whose reduction was split over workgroups, with the epilogue of convolution-tiled.wgsl.
//
// partialSums      [splits, rows, channels] f32, channels a multiple of four
// y, residual      [rows, channels] Scalar
// scale, shift     [channels] f32
// Library: partial-sums.wgsl.
// Dispatch: foldGrid(ceil(rows * channels / 4 / WORKGROUP_SIZE)); one invocation four channels.
// Constants: Scalar (f32 or f16), AFFINE, RESIDUAL, RELU, WORKGROUP_SIZE.

struct Parameters {
  length: u32,
  splits: u32,
  channels: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> partialSums: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Scalar>>;
@group(0) @binding(3) var<storage, read_write> scale: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> shift: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> residual: array<vec4<Scalar>>;

alias Element = vec4f;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let i = (group.x + group.y * grid.x) * WORKGROUP_SIZE + invocation;
  if (i < parameters.length) {
    var total = totalOf(i, parameters.length, parameters.splits);
    let channel = i % parameters.channels;
    if (AFFINE) {
      total = fma(total, scale[channel], shift[channel]);
    }
    if (RESIDUAL) {
      total += vec4f(residual[i]);
    }
    if (RELU) {
      // Not max(): that may swallow a NaN.
      total = select(total, vec4f(), total < vec4f());
    }
    y[i] = vec4<Scalar>(total);
  }
}
