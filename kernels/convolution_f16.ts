import { convolution, gatherCalls, operandSizes, type ConvolutionProblem } from './convolution.ts';
import type { Kernel } from './kernel.ts';

/** A rounding to 16 bits, whose direction WGSL leaves open: at most one unit in the last place, or of the smallest subnormal. */
const HALF_STEP = 2 ** -10;
const HALF_SMALLEST = 2 ** -24;

/**
 * The convolution with x, w, residual and y as 16-bit floats. Sums, scale and shift are float32; only y is rounded. Where the
 * adapter has no 16-bit floats, or channels are not multiples of four, there is no variant: use `convolution`.
 */
export const convolutionF16: Kernel<ConvolutionProblem> = {
  name: 'convolution_f16',
  calls: (problem, traits) =>
    traits.f16 === true ? gatherCalls(problem, 'forward', problem.epilogue, traits, { source: 'x', destination: 'y' }, 'f16') : [],
  reference: (problem, inputs) => {
    const { value, error } = convolution.reference(problem, inputs).y;
    return { y: { value, error: error.map((bound, i) => bound + HALF_STEP * (Math.abs(value[i]) + bound) + HALF_SMALLEST) } };
  },
  cost: (problem) => {
    const { flop, bytes } = convolution.cost(problem);
    return { flop, bytes: bytes / 2 };
  },
  // Each path of the shader, once: plain, strided, the stem's, with an epilogue, and with an epilogue after parts.
  cases: [
    { batch: 3, height: 7, width: 7, inputChannels: 268, outputChannels: 140, kernel: [1, 1], stride: [1, 1], padding: [0, 0] },
    { batch: 1, height: 9, width: 15, inputChannels: 36, outputChannels: 68, kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    { batch: 1, height: 17, width: 19, inputChannels: 4, outputChannels: 24, kernel: [7, 7], stride: [2, 2], padding: [3, 3] },
    { batch: 3, height: 5, width: 6, inputChannels: 20, outputChannels: 36, kernel: [3, 3], stride: [1, 1], padding: [1, 1], epilogue: { residual: true, relu: true } },
    { batch: 2, height: 5, width: 6, inputChannels: 48, outputChannels: 40, kernel: [3, 3], stride: [1, 1], padding: [1, 1], epilogue: { residual: true, relu: true } },
  ],
  // Numbers that 16 bits hold exactly.
  sampleInputs: (problem, uniform) => {
    const { x, w, y } = operandSizes(problem);
    const halves = (length: number): Float64Array => Float64Array.from({ length }, () => Math.round(1024 * uniform()) / 1024);
    const { epilogue, outputChannels } = problem;
    return {
      x: halves(x),
      w: halves(w),
      ...(epilogue && { scale: halves(outputChannels), shift: halves(outputChannels) }),
      ...(epilogue?.residual === true && { residual: halves(y) }),
    };
  },
};
