// Winograd convolution, step 1 of 4: the weights in the transform's domain.
//
//   U[a, b, k, o] = sum over i, j of  G[a, i] * g[i, j, k, o] * G[b, j]
//
//   forward         g[i, j, k, o] = w[i, j, k, o]
//   data gradient   g[i, j, k, o] = w[2 - i, 2 - j, o, k]: the gradient of a convolution is one with flipped weights
//
// Depends on weights alone. For G see docs/kernels/convolution/winograd.md; rows scaled so that B and the other matrices stay short.
// One invocation transforms one pair of channels.
//
// weights      [3, 3, inputChannels, outputChannels] f32, as in the forward pass, for both
// transformed  [SIDE * SIDE, columns / block, depth, block] f32, as the matrix product wants it: depth and columns are at least
//              the channels of source and destination, and zero from there on
// Dispatch: ceil(depth * columns / 64) workgroups, folded over x and y.
// Constants: DATA_GRADIENT; TILE 2 or 4; SIDE = TILE + 2.

struct Parameters {
  sourceChannels: u32,
  destinationChannels: u32,
  depth: u32,
  columns: u32,
  block: u32,
  gridWidth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> transformed: array<f32>;

// Where SIDE is 4, the last two stay zero and cost nothing.
alias Line = array<f32, 6>;

// The points, as in winograd-input.wgsl.
const P = 0.75;
const Q = 1.5;

// G times three taps.
fn transform(g0: f32, g1: f32, g2: f32) -> Line {
  if (TILE == 2u) {
    return Line(g0, 0.5 * (g0 + g1 + g2), 0.5 * (g0 - g1 + g2), g2, 0.0, 0.0);
  }
  const atP = 1.0 / (2.0 * P * P * (P * P - Q * Q));
  const atQ = 1.0 / (2.0 * Q * Q * (Q * Q - P * P));
  let evenP = atP * g0 + (atP * P * P) * g2;
  let oddP = (atP * P) * g1;
  let evenQ = atQ * g0 + (atQ * Q * Q) * g2;
  let oddQ = (atQ * Q) * g1;
  return Line(1.0 / (P * P * Q * Q) * g0, evenP + oddP, evenP - oddP, evenQ + oddQ, evenQ - oddQ, g2);
}

var<private> tap: u32;
var<private> tapLength: u32;
var<private> inside: bool;

fn weight(i: u32, j: u32) -> f32 {
  let t = select(3u * i + j, 8u - 3u * i - j, DATA_GRADIENT);
  return select(0.0, weights[select(0u, t * tapLength + tap, inside)], inside);
}

fn row(i: u32) -> Line {
  return transform(weight(i, 0u), weight(i, 1u), weight(i, 2u));
}

var<private> place: u32;
var<private> plane: u32;

fn storeColumn(b: u32, g0: f32, g1: f32, g2: f32) {
  let values = transform(g0, g1, g2);
  transformed[b * plane + place] = values[0];
  transformed[(SIDE + b) * plane + place] = values[1];
  transformed[(2u * SIDE + b) * plane + place] = values[2];
  transformed[(3u * SIDE + b) * plane + place] = values[3];
  if (TILE == 4u) {
    transformed[(4u * SIDE + b) * plane + place] = values[4];
    transformed[(5u * SIDE + b) * plane + place] = values[5];
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let p = parameters;
  place = (group.x + group.y * p.gridWidth) * 64u + local;
  plane = p.depth * p.columns;
  if (place >= plane) {
    return;
  }
  let k = (place / p.block) % p.depth;
  let o = place / (p.block * p.depth) * p.block + place % p.block;
  inside = k < p.sourceChannels && o < p.destinationChannels;
  tapLength = p.sourceChannels * p.destinationChannels;
  tap = select(k * p.destinationChannels + o, o * p.sourceChannels + k, DATA_GRADIENT);

  let r0 = row(0u);
  let r1 = row(1u);
  let r2 = row(2u);
  storeColumn(0u, r0[0], r1[0], r2[0]);
  storeColumn(1u, r0[1], r1[1], r2[1]);
  storeColumn(2u, r0[2], r1[2], r2[2]);
  storeColumn(3u, r0[3], r1[3], r2[3]);
  if (TILE == 4u) {
    storeColumn(4u, r0[4], r1[4], r2[4]);
    storeColumn(5u, r0[5], r1[5], r2[5]);
  }
}
