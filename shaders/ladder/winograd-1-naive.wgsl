// A 3x3 convolution with stride 1 by Winograd's F(2x2, 3x3): y = A^T (sum over i of (G g G^T) * (B^T d B)) A for a tile of 2x2 outputs, d the
// 4x4 sources of channel i that it reads, g the taps from i to the output channel (Lavin and Gray, CVPR 2016).
//
// Rung 1: as the formula reads. One invocation a tile and an output channel, which transforms sources and weights for itself: 16 products in place
// of 36, and twice as many additions for the transforms, since nobody shares them.
//
// x [batch, height, width, inputs]   w [3, 3, inputs, outputs]   y [batch, outputHeight, outputWidth, outputs]
// Library: convolution-parameters.wgsl.
// Dispatch: foldGrid(ceil(batch * ceil(outputHeight / 2) * ceil(outputWidth / 2) * outputs / 64)).

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// B^T times four numbers.
fn transformSource(d: vec4f) -> vec4f {
  return vec4f(d.x - d.z, d.y + d.z, d.z - d.y, d.w - d.y);
}

// G times three taps.
fn transformWeights(g: vec3f) -> vec4f {
  return vec4f(g.x, 0.5 * (g.x + g.y + g.z), 0.5 * (g.x - g.y + g.z), g.z);
}

// A^T times four numbers.
fn transformBack(m: vec4f) -> vec2f {
  return vec2f(m.x + m.y + m.z, m.y - m.z + m.w);
}

fn pixel(image: u32, h: i32, c: i32, channel: u32) -> f32 {
  let p = parameters;
  if (h < 0 || c < 0 || h >= i32(p.sourceHeight) || c >= i32(p.sourceWidth)) {
    return 0.0;
  }
  return x[((image * p.sourceHeight + u32(h)) * p.sourceWidth + u32(c)) * p.sourceChannels + channel];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let p = parameters;
  let tilesY = (p.destinationHeight + 1u) / 2u;
  let tilesX = (p.destinationWidth + 1u) / 2u;
  let place = (group.x + group.y * grid.x) * 64u + invocation;
  if (place >= p.batch * tilesY * tilesX * p.destinationChannels) {
    return;
  }
  let o = place % p.destinationChannels;
  let u = 2u * (place / (p.destinationChannels * tilesX) % tilesY);
  let v = 2u * (place / p.destinationChannels % tilesX);
  let image = place / (p.destinationChannels * tilesX * tilesY);
  var sums = mat4x4f();
  for (var i = 0u; i < p.sourceChannels; i++) {
    var rows: array<vec4f, 4>;
    var taps: array<vec4f, 3>;
    for (var r = 0; r < 4; r++) {
      let h = i32(u) - i32(p.paddingY) + r;
      let c = i32(v) - i32(p.paddingX);
      rows[r] = transformSource(vec4f(pixel(image, h, c, i), pixel(image, h, c + 1, i), pixel(image, h, c + 2, i), pixel(image, h, c + 3, i)));
    }
    for (var r = 0u; r < 3u; r++) {
      let tap = (3u * r * p.sourceChannels + i) * p.destinationChannels + o;
      taps[r] = transformWeights(vec3f(w[tap], w[tap + p.sourceChannels * p.destinationChannels], w[tap + 2u * p.sourceChannels * p.destinationChannels]));
    }
    let source = mat4x4f(rows[0] - rows[2], rows[1] + rows[2], rows[2] - rows[1], rows[3] - rows[1]);
    let weights = mat4x4f(taps[0], 0.5 * (taps[0] + taps[1] + taps[2]), 0.5 * (taps[0] - taps[1] + taps[2]), taps[2]);
    for (var r = 0u; r < 4u; r++) {
      sums[r] = fma(source[r], weights[r], sums[r]);
    }
  }
  let results = array<vec2f, 2>(transformBack(sums[0] + sums[1] + sums[2]), transformBack(sums[1] - sums[2] + sums[3]));
  for (var r = 0u; r < 2u; r++) {
    for (var c = 0u; c < 2u; c++) {
      if (u + r < p.destinationHeight && v + c < p.destinationWidth) {
        y[((image * p.destinationHeight + u + r) * p.destinationWidth + v + c) * p.destinationChannels + o] = results[r][c];
      }
    }
  }
}
