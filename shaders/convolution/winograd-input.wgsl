// Winograd convolution, step 2 of 4: tiles of the source in the transform's domain.
//
//   V[a, b, t, c] = sum over i, j of  B[i, a] * d[t, i, j, c] * B[j, b]
//
// where tile t of an image is the SIDE x SIDE source pixels that TILE x TILE destination pixels of a 3 x 3 convolution read;
// neighboring tiles overlap by two pixels, and what lies outside the image is zero. For B and its points see
// docs/kernels/convolution/winograd.md. One invocation transforms one channel of one tile, rows first.
//
// source       [batch, height, width, channels] f32
// transformed  [SIDE * SIDE, tiles, depth] f32, tiles = batch * tilesY * tilesX, depth >= channels, zero from channels on
// Dispatch: ceil(tiles * depth / 64) workgroups, folded over x and y.
// Constants: TILE 2 or 4; SIDE = TILE + 2.
// Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016; points of our own choice.

struct Parameters {
  tiles: u32,
  tilesY: u32,
  tilesX: u32,
  height: u32,
  width: u32,
  channels: u32,
  depth: u32,
  paddingY: i32,
  paddingX: i32,
  gridWidth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> transformed: array<f32>;

// A row or column of a tile; where SIDE is 4, the last two stay zero and cost nothing.
alias Line = array<f32, 6>;

// The points of F(4, 3) are 0, P, -P, Q, -Q and infinity; those of F(2, 3) 0, 1, -1 and infinity.
const P = 0.75;
const Q = 1.5;

// B^T times a line.
fn transform(d: Line) -> Line {
  if (TILE == 2u) {
    return Line(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[3] - d[1], 0.0, 0.0);
  }
  let evenP = d[4] - Q * Q * d[2];
  let oddP = P * d[3] - P * Q * Q * d[1];
  let evenQ = d[4] - P * P * d[2];
  let oddQ = Q * d[3] - P * P * Q * d[1];
  return Line(
    P * P * Q * Q * d[0] - (P * P + Q * Q) * d[2] + d[4],
    evenP + oddP,
    evenP - oddP,
    evenQ + oddQ,
    evenQ - oddQ,
    P * P * Q * Q * d[1] - (P * P + Q * Q) * d[3] + d[5],
  );
}

// For this invocation's tile: the place of its first pixel in the image, and where that would be in the source.
var<private> firstY: i32;
var<private> firstX: i32;
var<private> origin: i32;

fn pixel(y: i32, x: i32) -> f32 {
  let p = parameters;
  let inside = firstY + y >= 0 && firstY + y < i32(p.height) && firstX + x >= 0 && firstX + x < i32(p.width);
  return select(0.0, source[u32(select(0, origin + (y * i32(p.width) + x) * i32(p.channels), inside))], inside);
}

fn row(y: i32) -> Line {
  if (TILE == 2u) {
    return transform(Line(pixel(y, 0), pixel(y, 1), pixel(y, 2), pixel(y, 3), 0.0, 0.0));
  }
  return transform(Line(pixel(y, 0), pixel(y, 1), pixel(y, 2), pixel(y, 3), pixel(y, 4), pixel(y, 5)));
}

// This invocation's place in a plane of `transformed`, and the length of a plane.
var<private> place: u32;
var<private> plane: u32;

fn storeColumn(b: u32, column: Line) {
  let values = transform(column);
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
  plane = p.tiles * p.depth;
  if (place >= plane) {
    return;
  }
  let channel = place % p.depth;
  let tile = place / p.depth;
  let image = tile / (p.tilesY * p.tilesX);
  firstY = i32(((tile / p.tilesX) % p.tilesY) * TILE) - p.paddingY;
  firstX = i32((tile % p.tilesX) * TILE) - p.paddingX;
  origin = ((i32(image * p.height) + firstY) * i32(p.width) + firstX) * i32(p.channels) + i32(channel);
  if (channel >= p.channels) {
    firstY = i32(p.height); // every pixel outside
  }

  let r0 = row(0);
  let r1 = row(1);
  let r2 = row(2);
  let r3 = row(3);
  var r4: Line;
  var r5: Line;
  if (TILE == 4u) {
    r4 = row(4);
    r5 = row(5);
  }
  storeColumn(0u, Line(r0[0], r1[0], r2[0], r3[0], r4[0], r5[0]));
  storeColumn(1u, Line(r0[1], r1[1], r2[1], r3[1], r4[1], r5[1]));
  storeColumn(2u, Line(r0[2], r1[2], r2[2], r3[2], r4[2], r5[2]));
  storeColumn(3u, Line(r0[3], r1[3], r2[3], r3[3], r4[3], r5[3]));
  if (TILE == 4u) {
    storeColumn(4u, Line(r0[4], r1[4], r2[4], r3[4], r4[4], r5[4]));
    storeColumn(5u, Line(r0[5], r1[5], r2[5], r3[5], r4[5], r5[5]));
  }
}
