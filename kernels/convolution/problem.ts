/** Sizes of a convolution of NHWC images x with weights [kernelHeight, kernelWidth, inputChannels, outputChannels]. */
export interface ConvolutionShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

/** What is done to a sum before it is stored: y = relu?(sum * scale[o] + shift[o] + residual?). */
export interface Epilogue {
  readonly residual: boolean;
  readonly relu: boolean;
}
