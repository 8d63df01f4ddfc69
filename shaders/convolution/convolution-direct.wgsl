// Convolution, forward, by plain loops over taps and channels.
//
//   y[n, u, v, o] = relu?(sum over kh, kw, i of x[n, u*stride - padding + kh, v*stride - padding + kw, i] * w[kh, kw, i, o] * scale[o] + shift[o] + residual)
//
// Made to compile quickly, and once: every size and the epilogue are parameters, so that one pipeline serves every
// convolution of a network. It suits programs that run seldom or are small, such as the search by one sketch in a page, where
// the other variants take longer to compile than they save. No workgroup memory, no subgroups.
//
// An invocation computes PIXELS destination pixels x 4 channels. Neighboring invocations have neighboring channels of the same
// pixels, so that they read consecutive weights and the same source values.
//
// source       [batch, sourceHeight, sourceWidth, sourceChannels] f32
// weights      [kernelHeight, kernelWidth, sourceChannels, destinationChannels] f32
// destination  [batch, destinationHeight, destinationWidth, destinationChannels] f32
// scale, shift [destinationChannels] f32 where the epilogue is affine; residual like destination where it has one
// Limits: both numbers of channels are multiples of four.
// Library: convolution-parameters.wgsl.
// Dispatch: [ceil(destinationChannels / 32), ceil(pixels / (8 * PIXELS))].

@group(0) @binding(1) var<storage, read_write> source: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> destination: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> scale: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> shift: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> residual: array<vec4f>;

const PIXELS = 4u;

// The products of four channels of a pixel with their weights for four destination channels, in the channels' order.
fn multiplyAdd(block: mat4x4f, value: vec4f, sum: vec4f) -> vec4f {
  let two = fma(vec4f(value.y), block[1], fma(vec4f(value.x), block[0], sum));
  return fma(vec4f(value.w), block[3], fma(vec4f(value.z), block[2], two));
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) invocation: vec3u) {
  let p = parameters;
  let pixels = p.batch * p.destinationHeight * p.destinationWidth;
  let columns = p.destinationChannels / 4u;
  let channels = p.sourceChannels / 4u;
  let column = invocation.x;
  let firstPixel = invocation.y * PIXELS;
  if (column >= columns || firstPixel >= pixels) {
    return;
  }

  // Where each pixel's window begins. A pixel that is not there has its window outside the source.
  let pixel = vec4u(firstPixel) + vec4u(0u, 1u, 2u, 3u);
  let row = pixel / p.destinationWidth;
  let sourceX = vec4i(pixel % p.destinationWidth * p.strideX) - i32(p.paddingX);
  let sourceY = select(vec4i(-i32(p.kernelHeight)), vec4i(row % p.destinationHeight * p.strideY) - i32(p.paddingY), pixel < vec4u(pixels));
  let sourceRow = vec4i(row / p.destinationHeight * p.sourceHeight);

  var sums = array<vec4f, 4>();
  var weight = column;
  for (var tapY = 0; tapY < i32(p.kernelHeight); tapY++) {
    for (var tapX = 0; tapX < i32(p.kernelWidth); tapX++) {
      let y = sourceY + tapY;
      let x = sourceX + tapX;
      let inside = (y >= vec4i()) & (y < vec4i(i32(p.sourceHeight))) & (x >= vec4i()) & (x < vec4i(i32(p.sourceWidth)));
      let place = select(vec4u(), vec4u((sourceRow + y) * i32(p.sourceWidth) + x) * channels, inside);
      for (var channel = 0u; channel < channels; channel++) {
        let block = mat4x4f(weights[weight], weights[weight + columns], weights[weight + 2u * columns], weights[weight + 3u * columns]);
        weight += p.destinationChannels;
        sums[0] = multiplyAdd(block, select(vec4f(), source[place.x + channel], inside.x), sums[0]);
        sums[1] = multiplyAdd(block, select(vec4f(), source[place.y + channel], inside.y), sums[1]);
        sums[2] = multiplyAdd(block, select(vec4f(), source[place.z + channel], inside.z), sums[2]);
        sums[3] = multiplyAdd(block, select(vec4f(), source[place.w + channel], inside.w), sums[3]);
      }
    }
  }

  for (var i = 0u; i < PIXELS; i++) {
    if (firstPixel + i >= pixels) {
      return;
    }
    let place = (firstPixel + i) * columns + column;
    var value = sums[i];
    if (p.isAffine != 0u) {
      value = fma(value, scale[column], shift[column]);
    }
    if (p.addsResidual != 0u) {
      value += residual[place];
    }
    if (p.appliesRelu != 0u) {
      // Not max(): that may swallow a NaN.
      value = select(value, vec4f(), value < vec4f());
    }
    destination[place] = value;
  }
}
