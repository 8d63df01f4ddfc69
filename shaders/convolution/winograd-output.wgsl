// Winograd convolution, step 4 of 4: back from the transform's domain, and the epilogue.
//
//   y[t, i, j, o] = sum over a, b of  A[a, i] * M[a, b, t, o] * A[b, j]
//   destination   = relu?(y * scale + shift + residual)
//
// For A see docs/kernels/convolution/winograd.md. One invocation computes TILE x TILE pixels of one channel; those outside are left out.
//
// product      [SIDE * SIDE, tiles, columns] f32, tiles = batch * tilesY * tilesX, columns >= channels
// destination  [batch, height, width, channels] f32
// scale, shift [channels] f32 where AFFINE; residual like destination where RESIDUAL
// Dispatch: ceil(tiles * channels / 64) workgroups, folded over x and y.
// Library: `takeIn(column, height)`, which sees the pixels of each column that are inside the image: winograd-statistics.wgsl, or one that does nothing.
// Constants: AFFINE, RESIDUAL, RELU; TILE 2 or 4; SIDE = TILE + 2.

struct Parameters {
  tiles: u32,
  tilesY: u32,
  tilesX: u32,
  height: u32,
  width: u32,
  channels: u32,
  columns: u32,
  gridWidth: u32,
  // Only for winograd-statistics.wgsl.
  columnInvocations: u32,
  tilesPerBlock: u32,
  blocks: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> product: array<f32>;
@group(0) @binding(2) var<storage, read_write> destination: array<f32>;
@group(0) @binding(3) var<storage, read_write> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> shift: array<f32>;
@group(0) @binding(5) var<storage, read_write> residual: array<f32>;

// The points, as in winograd-input.wgsl.
const P = 0.75;
const Q = 1.5;

// A^T times a line; where TILE is 2, the last two are no part of it.
fn transform(m0: f32, m1: f32, m2: f32, m3: f32, m4: f32, m5: f32) -> vec4f {
  if (TILE == 2u) {
    return vec4f(m0 + (m1 + m2), (m1 - m2) + m3, 0.0, 0.0);
  }
  let evenP = m1 + m2;
  let oddP = m1 - m2;
  let evenQ = m3 + m4;
  let oddQ = m3 - m4;
  return vec4f(m0 + (evenP + evenQ), P * oddP + Q * oddQ, P * P * evenP + Q * Q * evenQ, P * P * P * oddP + Q * Q * Q * oddQ + m5);
}

var<private> firstProduct: u32;
var<private> plane: u32;

fn row(a: u32) -> vec4f {
  let first = firstProduct + a * SIDE * plane;
  let m0 = product[first];
  let m1 = product[first + plane];
  let m2 = product[first + 2u * plane];
  let m3 = product[first + 3u * plane];
  var m4 = 0.0;
  var m5 = 0.0;
  if (TILE == 4u) {
    m4 = product[first + 4u * plane];
    m5 = product[first + 5u * plane];
  }
  return transform(m0, m1, m2, m3, m4, m5);
}

var<private> firstY: u32;
var<private> firstX: u32;
var<private> place: u32;
var<private> channel: u32;

fn storePixel(i: u32, j: u32, sum: f32) {
  let p = parameters;
  if (i < TILE && firstY + i < p.height && firstX + j < p.width) {
    let index = place + (i * p.width + j) * p.channels;
    var value = sum;
    if (AFFINE) {
      value = fma(value, scale[channel], shift[channel]);
    }
    if (RESIDUAL) {
      value += residual[index];
    }
    if (RELU) {
      // Not max(): that may swallow a NaN.
      value = select(value, 0.0, value < 0.0);
    }
    destination[index] = value;
  }
}

fn storeColumn(j: u32, column: vec4f) {
  storePixel(0u, j, column[0]);
  storePixel(1u, j, column[1]);
  storePixel(2u, j, column[2]);
  storePixel(3u, j, column[3]);
  if (firstX + j < parameters.width) {
    takeIn(column, min(TILE, parameters.height - firstY));
  }
}

fn computeTile(tile: u32) {
  let p = parameters;
  let image = tile / (p.tilesY * p.tilesX);
  firstY = ((tile / p.tilesX) % p.tilesY) * TILE;
  firstX = (tile % p.tilesX) * TILE;
  place = ((image * p.height + firstY) * p.width + firstX) * p.channels + channel;
  plane = p.tiles * p.columns;
  firstProduct = tile * p.columns + channel;

  let r0 = row(0u);
  let r1 = row(1u);
  let r2 = row(2u);
  let r3 = row(3u);
  var r4: vec4f;
  var r5: vec4f;
  if (TILE == 4u) {
    r4 = row(4u);
    r5 = row(5u);
  }
  storeColumn(0u, transform(r0[0], r1[0], r2[0], r3[0], r4[0], r5[0]));
  storeColumn(1u, transform(r0[1], r1[1], r2[1], r3[1], r4[1], r5[1]));
  if (TILE == 4u) {
    storeColumn(2u, transform(r0[2], r1[2], r2[2], r3[2], r4[2], r5[2]));
    storeColumn(3u, transform(r0[3], r1[3], r2[3], r3[3], r4[3], r5[3]));
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let p = parameters;
  let index = (group.x + group.y * p.gridWidth) * 64u + local;
  if (index >= p.tiles * p.channels) {
    return;
  }
  channel = index % p.channels;
  computeTile(index / p.channels);
}
