// The patches of a convolution as a matrix whose rows are the weights' rows: what each of them is multiplied by, pixel after pixel.
//
//   patches[(kh * kernelWidth + kw) * inputChannels + i, p] = x[n, u * stride - padding + kh, v * stride - padding + kw, i]
//     with p = (n * outputHeight + u) * outputWidth + v; zero where that lies outside x
//
// So the weight gradient is a plain product, patches [rows, pixels] times dy [pixels, outputChannels], whose sums run along the memory
// of both: see kernels/convolution/im2col.ts.
//
// x       [batch, height, width, inputChannels] Scalar
// patches  [kernelHeight * kernelWidth * inputChannels, pixels] Scalar, pixels = batch * outputHeight * outputWidth
// Limits: pixels and inputChannels are multiples of four. An invocation transposes four pixels by four channels at a time in its registers.
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(pixels / 4 / WORKGROUP_SIZE), ceil(inputChannels / 4 / vectorsPerGroup), kernelHeight * kernelWidth].
// Constants: Scalar (f32 or f16); WORKGROUP_SIZE; INSIDE: the kernel is 1x1 without padding, so that no pixel lies outside;
//   POINTWISE: INSIDE, and without a stride.

@group(0) @binding(1) var<storage, read_write> x: array<vec4<Scalar>>;
@group(0) @binding(2) var<storage, read_write> patches: array<vec4<Scalar>>;

// Where a tap meets x at an output pixel: its first vector, and whether it is there.
struct Place {
  vector: u32,
  inside: bool,
}

fn meeting(pixel: u32, tap: u32) -> Place {
  let channels = parameters.sourceChannels / 4u;
  if (POINTWISE) {
    return Place(pixel * channels, true);
  }
  let p = parameters;
  let image = pixel / (p.destinationHeight * p.destinationWidth);
  // Before the first row or column these wrap around to numbers beyond any size.
  let y = pixel / p.destinationWidth % p.destinationHeight * p.strideY + tap / p.kernelWidth - p.paddingY;
  let column = pixel % p.destinationWidth * p.strideX + tap % p.kernelWidth - p.paddingX;
  let inside = INSIDE || (y < p.sourceHeight && column < p.sourceWidth);
  return Place(select(0u, ((image * p.sourceHeight + y) * p.sourceWidth + column) * channels, inside), inside);
}

fn load(place: Place, vector: u32) -> vec4<Scalar> {
  return select(vec4<Scalar>(), x[place.vector + vector], place.inside);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
  // Vectors of pixels.
  let row = parameters.batch * parameters.destinationHeight * parameters.destinationWidth / 4u;
  if (id.x >= row) {
    return;
  }
  // Divisions are dear: once for all channels of a group.
  let a = meeting(4u * id.x, id.z);
  let b = meeting(4u * id.x + 1u, id.z);
  let c = meeting(4u * id.x + 2u, id.z);
  let d = meeting(4u * id.x + 3u, id.z);
  let channels = parameters.sourceChannels / 4u;
  let end = min((id.y + 1u) * parameters.vectorsPerGroup, channels);
  for (var vector = id.y * parameters.vectorsPerGroup; vector < end; vector++) {
    let rows = transpose(mat4x4<Scalar>(load(a, vector), load(b, vector), load(c, vector), load(d, vector)));
    let place = 4u * (id.z * channels + vector) * row + id.x;
    patches[place] = rows[0];
    patches[place + row] = rows[1];
    patches[place + 2u * row] = rows[2];
    patches[place + 3u * row] = rows[3];
  }
}
