// Puts the pixels of a data gradient where they belong, from a product that was computed transposed.
//
//   destination[n, u * stride, v * stride, c] = transposed[c, p]   with p = (n * sourceHeight + u) * sourceWidth + v; zero elsewhere
//
// transposed       [channels, pixels] f32, pixels = batch * sourceHeight * sourceWidth
// destination  [batch, height, width, channels] f32, height and width up to stride times the source's
// Limits: pixels and channels are multiples of four. An invocation transposes four pixels by four channels in its registers.
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(channels / 4 / WORKGROUP_SIZE), pixels / 4].
// Constants: WORKGROUP_SIZE.

@group(0) @binding(1) var<storage, read_write> transposed: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> destination: array<vec4f>;

// The pixel, and zeros up to the next one below and to the right.
fn store(pixel: u32, vector: u32, value: vec4f) {
  let p = parameters;
  let image = pixel / (p.sourceHeight * p.sourceWidth);
  let firstY = pixel / p.sourceWidth % p.sourceHeight * p.strideY;
  let firstX = pixel % p.sourceWidth * p.strideX;
  for (var y = firstY; y < min(firstY + p.strideY, p.destinationHeight); y++) {
    for (var x = firstX; x < min(firstX + p.strideX, p.destinationWidth); x++) {
      destination[((image * p.destinationHeight + y) * p.destinationWidth + x) * (p.destinationChannels / 4u) + vector] = select(vec4f(), value, y == firstY && x == firstX);
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let vector = id.x;
  if (vector >= parameters.destinationChannels / 4u) {
    return;
  }
  let row = parameters.batch * parameters.sourceHeight * parameters.sourceWidth / 4u;
  let place = 4u * vector * row + id.y;
  let values = transpose(mat4x4f(transposed[place], transposed[place + row], transposed[place + 2u * row], transposed[place + 3u * row]));
  store(4u * id.y, vector, values[0]);
  store(4u * id.y + 1u, vector, values[1]);
  store(4u * id.y + 2u, vector, values[2]);
  store(4u * id.y + 3u, vector, values[3]);
}
