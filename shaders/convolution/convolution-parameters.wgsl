// The uniform block of the convolutions: forward, data gradient, weight gradient and im2col.
//
// A library, no shader: put before those that convolve. kernels/convolution/parameters.ts writes the block, by the names of its fields; a shader
// reads those that it needs, and the others are 0.
//
// Forward, the source is x and the destination is y. In the data gradient the source is dy and the destination is dx. In the weight gradient the
// source is x and the destination is dy, over whose pixels the sums run.

struct Parameters {
  batch: u32,
  sourceHeight: u32,
  sourceWidth: u32,
  sourceChannels: u32,
  destinationHeight: u32,
  destinationWidth: u32,
  destinationChannels: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  paddingY: u32,
  paddingX: u32,
  // Split-K: the splits, and what each of them sums: K-tiles, pixels, or whole images (0 where splits end within an image).
  splitK: u32,
  kTilesPerSplit: u32,
  pixelsPerSplit: u32,
  imagesPerSplit: u32,
  // What a workgroup takes: pixels, or vectors of channels.
  pixelsPerGroup: u32,
  vectorsPerGroup: u32,
  // Constants of the shader once more: where the compiler does not know how often a loop runs, it does not unroll it.
  depth: u32,
  rows: u32,
  columns: u32,
  // 1 where the condition holds, in shaders that have no constants for the epilogue.
  isAffine: u32,
  addsResidual: u32,
  appliesRelu: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
