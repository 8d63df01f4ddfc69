// dx[n, h, w, c] = sum of dy[n, oh, ow, c] over the windows (oh, ow) whose maximum was at (h, w): those with
// position[n, oh, ow, c] = ky * window + kx, where ky = h + padding - oh * stride and kx = w + padding - ow * stride.
//
// Rung 1: one invocation an element, which asks of every place in a window whether there is a window that has the element there.
//
// dy, position [batch, pooledHeight, pooledWidth, channels]   dx [batch, height, width, channels]
// Dispatch: foldGrid(ceil(length of dx / 64)).

struct Parameters {
  height: u32,
  width: u32,
  channels: u32,
  pooledHeight: u32,
  pooledWidth: u32,
  window: u32,
  stride: u32,
  padding: u32,
  count: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> position: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let i = (group.x + group.y * grid.x) * 64u + invocation;
  if (i >= p.count) {
    return;
  }
  let channel = i % p.channels;
  let w = i / p.channels % p.width;
  let h = i / (p.channels * p.width) % p.height;
  let n = i / (p.channels * p.width * p.height);
  var sum = 0.0;
  // From the last place to the first, so that windows come in their order.
  for (var ky = i32(p.window) - 1; ky >= 0; ky--) {
    let y = i32(h + p.padding) - ky;
    for (var kx = i32(p.window) - 1; kx >= 0; kx--) {
      let x = i32(w + p.padding) - kx;
      if (y < 0 || x < 0 || u32(y) % p.stride != 0u || u32(x) % p.stride != 0u) {
        continue;
      }
      let oh = u32(y) / p.stride;
      let ow = u32(x) / p.stride;
      if (oh >= p.pooledHeight || ow >= p.pooledWidth) {
        continue;
      }
      let place = ((n * p.pooledHeight + oh) * p.pooledWidth + ow) * p.channels + channel;
      if (position[place] == u32(ky) * p.window + u32(kx)) {
        sum += dy[place];
      }
    }
  }
  dx[i] = sum;
}
