import { BINDING_ALIGNMENT, ceilDivide, foldGrid, sliceable, widestElement, type Dispatch } from '../src/gpu/dispatch.ts';
import { convolution, convolutionFlop, forEachProduct, operandSizes, outputSize, tileSides, type ConvolutionShape } from './convolution.ts';
import { sumError, type Kernel, type KernelCall } from './kernel.ts';

const SUM_WORKGROUP_SIZE = 64;

/** dw of y = x * w: operands x, dy to dw. The reduction over all pixels is split over workgroups and added in fixed order. */
export const convolutionWeightGradient: Kernel<ConvolutionShape> = {
  name: 'convolution_weight_gradient',
  calls: (shape, traits) => {
    const forVectors = vectorCalls(shape, traits.subgroupSize);
    const rows = shape.kernel[0] * shape.kernel[1] * shape.inputChannels;
    const tiled = tileSides(rows, shape.outputChannels, traits).map((side) => tiledCall(shape, side));
    return traits.kind === 'cpu' ? [...forVectors, ...tiled] : [...tiled, ...forVectors];
  },
  reference: (shape, { x, dy }) => {
    const { w: length } = operandSizes(shape);
    const value = new Float64Array(length);
    const magnitude = new Float64Array(length);
    forEachProduct(shape, (i, j, o) => {
      value[j] += x[i] * dy[o];
      magnitude[j] += Math.abs(x[i] * dy[o]);
    });
    const [outputHeight, outputWidth] = outputSize(shape);
    const terms = shape.batch * outputHeight * outputWidth;
    return { dw: { value, error: magnitude.map((sum) => sumError(terms, sum)) } };
  },
  cost: (shape) => {
    const { x, w, y } = operandSizes(shape);
    return { flop: convolutionFlop(shape), bytes: 4 * (x + w + y) };
  },
  cases: convolution.cases.filter((problem) => problem.epilogue === undefined),
};

function vectorCalls(shape: ConvolutionShape, lanes: number): readonly KernelCall[] {
  if (lanes !== 4 && lanes !== 8) return [];
  const stationary = stationaryCall(shape, lanes);
  const streaming = streamingCall(shape, lanes);
  // Four lanes are SwiftShader's, where the stream wins once its runs are long: 1.25 against 0.9 GFLOP/s of a core.
  const LONG_RUN = 48;
  return lanes === 4 && shape.kernel[1] * shape.inputChannels >= LONG_RUN ? [streaming, stationary] : [stationary, streaming];
}

/** Sizes every weight gradient kernel needs, in the order of their uniform blocks. */
function sizeParameters(shape: ConvolutionShape, images: number): number[] {
  return [
    images,
    shape.height,
    shape.width,
    shape.inputChannels,
    ...outputSize(shape),
    shape.outputChannels,
    ...shape.kernel,
    ...shape.stride,
    ...shape.padding,
  ];
}

function stationaryCall(shape: ConvolutionShape, lanes: number): KernelCall {
  const columns = shape.outputChannels <= 2 * lanes ? 2 : 4;
  const runLength = shape.kernel[1] * shape.inputChannels;
  const rows = runLength <= 16 ? 16 : 32;
  const columnGroups = ceilDivide(shape.outputChannels, lanes * columns);
  const rowGroups = shape.kernel[0] * ceilDivide(runLength, rows);
  return splitCall(shape, `stationary ${rows}x${lanes * columns}`, columnGroups * rowGroups, 16, ({ parts, splits, images }, pixelsPerSplit) => ({
    shader: 'convolution_weight_gradient_stationary.wgsl',
    features: ['subgroups'],
    constants: { LANES: lanes, ROWS: rows, COLUMNS: columns, Columns: `vec${columns}f` },
    parameters: [...sizeParameters(shape, images), pixelsPerSplit, rows],
    operands: ['x', 'dy', parts],
    workgroups: [splits, columnGroups, rowGroups],
  }));
}

function streamingCall(shape: ConvolutionShape, lanes: number): KernelCall {
  const [outputHeight, outputWidth] = outputSize(shape);
  const depth = shape.batch * outputHeight * outputWidth <= 32 ? 32 : 64;
  const columns = shape.outputChannels <= 2 * lanes ? 2 : 4;
  const runLength = shape.kernel[1] * shape.inputChannels;
  const columnGroups = ceilDivide(shape.outputChannels, lanes * columns);
  const rowsPerGroup = Math.min(runLength, 256);
  const rowGroups = shape.kernel[0] * ceilDivide(runLength, rowsPerGroup);
  return splitCall(shape, `streaming ${depth}x${lanes * columns}`, columnGroups * rowGroups, 16, ({ parts, splits, images }, pixelsPerSplit) => ({
    shader: 'convolution_weight_gradient_streaming.wgsl',
    features: ['subgroups'],
    constants: { LANES: lanes, DEPTH: depth, COLUMNS: columns, Columns: `vec${columns}f` },
    parameters: [...sizeParameters(shape, images), pixelsPerSplit, rowsPerGroup, depth],
    operands: ['x', 'dy', parts],
    workgroups: [splits, columnGroups, rowGroups],
  }));
}

function tiledCall(shape: ConvolutionShape, side: number): KernelCall {
  const columnGroups = ceilDivide(shape.outputChannels, 4 * side);
  const rowGroups = shape.kernel[0] * ceilDivide(shape.kernel[1] * shape.inputChannels, 4 * side);
  return splitCall(shape, `tiled ${4 * side}x${4 * side}x${side}`, columnGroups * rowGroups, 512, ({ parts, splits, images }, pixelsPerSplit) => ({
    shader: 'convolution_weight_gradient_tiled.wgsl',
    constants: { SIDE: side },
    parameters: [...sizeParameters(shape, images), pixelsPerSplit],
    operands: ['x', 'dy', parts],
    workgroups: [splits, columnGroups, rowGroups],
  }));
}

/** Bytes that every WebGPU adapter can bind. */
const ALWAYS_BOUND = 128 * 2 ** 20;

/**
 * The pixels of each of `wanted` splits or more. What some adapter could not bind at once is split between images, so that on
 * any adapter slices can end between splits. No split depends on the limits of the adapter at hand: all add in one order.
 */
function splitPixels(shape: ConvolutionShape, wanted: number): number {
  const sizes = operandSizes(shape);
  const imagePixels = sizes.y / shape.outputChannels / shape.batch;
  const largest = 4 * Math.max(sizes.x, sizes.y);
  const pixelsPerSplit = ceilDivide(imagePixels * shape.batch, wanted);
  if (largest <= ALWAYS_BOUND) return pixelsPerSplit;
  // A slice's windows onto x, dy and the parts begin at aligned places.
  const alignment = (elements: number): number => {
    let count = 1;
    while ((count * elements) % BINDING_ALIGNMENT !== 0) count *= 2;
    return count;
  };
  const images = Math.max(alignment(sizes.x / shape.batch), alignment(sizes.y / shape.batch));
  const most = (ALWAYS_BOUND * shape.batch) / largest / alignment(sizes.w);
  return imagePixels * images * Math.max(1, Math.floor(Math.min(most, pixelsPerSplit / imagePixels) / images));
}

/** What a dispatch of the multiplication does: how many splits, over how many images, and the operand that gets their sums. */
interface Share {
  readonly splits: number;
  readonly images: number;
  readonly parts: 'parts' | 'dw';
}

/** Splits the pixels so that at least `wantedGroups` workgroups run, each with 64 pixels or more, and adds the parts. */
function splitCall(
  shape: ConvolutionShape,
  variant: string,
  tiles: number,
  wantedGroups: number,
  multiply: (share: Share, pixelsPerSplit: number) => Dispatch,
): KernelCall {
  const sizes = operandSizes(shape);
  const pixels = sizes.y / shape.outputChannels;
  const wanted = Math.min(ceilDivide(wantedGroups, tiles), Math.max(1, Math.floor(pixels / 64)));
  const pixelsPerSplit = splitPixels(shape, wanted);
  const splits = ceilDivide(pixels, pixelsPerSplit);
  const { Element, elements } = widestElement(sizes.w);
  const addParts: Dispatch = {
    shader: 'sum_parts.wgsl',
    constants: { Element, WORKGROUP_SIZE: SUM_WORKGROUP_SIZE },
    parameters: [elements, splits],
    operands: ['parts', 'dw'],
    workgroups: foldGrid(ceilDivide(elements, SUM_WORKGROUP_SIZE)),
  };
  const parts = splits > 1 ? 'parts' : 'dw';
  const imagesPerSplit = (pixelsPerSplit * shape.batch) / pixels;
  // Splits of whole images can be cut between splits.
  const dispatches = Number.isInteger(imagesPerSplit)
    ? [
        sliceable(
          splits,
          { x: (sizes.x / shape.batch) * imagesPerSplit, dy: (sizes.y / shape.batch) * imagesPerSplit, parts: sizes.w },
          (count, first) => multiply({ parts, splits: count, images: Math.min(count * imagesPerSplit, shape.batch - first * imagesPerSplit) }, pixelsPerSplit),
        ),
      ]
    : [multiply({ parts, splits, images: shape.batch }, pixelsPerSplit)];
  if (splits > 1) dispatches.push(addParts);
  return {
    variant: `${variant} splits ${splits}`,
    operands: {
      x: { role: 'input', type: 'f32', length: sizes.x },
      dy: { role: 'input', type: 'f32', length: sizes.y },
      dw: { role: 'output', type: 'f32', length: sizes.w },
      ...(splits > 1 && { parts: { role: 'scratch', type: 'f32', length: splits * sizes.w } as const }),
    },
    dispatches,
  };
}
