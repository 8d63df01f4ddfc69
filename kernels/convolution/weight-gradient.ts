import {
  ALWAYS_BOUND,
  BINDING_ALIGNMENT,
  ceilDivide,
  elementBytes,
  foldGrid,
  sliceable,
  widestElement,
  type AdapterTraits,
  type Dispatch,
  type FloatType,
} from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { convolution } from './forward.ts';
import { sizesOf, withParameters } from './parameters.ts';
import {
  convolutionFlop,
  forEachTap,
  HALF,
  hasHalfForm,
  miniature,
  operandSizes,
  outputSize,
  sized,
  type ConvolutionShape,
} from './problem.ts';
import { COSTS } from './software/weight-stationary.ts';
import { isPointwise } from './gather.ts';
import { tilesFor, tileSides } from './gpu/tiles.ts';
import { canStore } from '../contract/storage-type.ts';
import { halvesInOrder, ownKindFirst, productsInOrder } from '../select.ts';
import { upcast } from './upcast.ts';
import { sumError, type Kernel, type KernelCall } from '../kernel.ts';
import { sumsOfRowVectors } from './gpu/register-sums.ts';
import {
  ASSUMED_COMPUTE_UNITS,
  chooseSplitK,
  fits,
  invocations,
  tileConstants,
  tileName,
  type Tile,
} from '../contract/tiles.ts';
import { matrixWeightGradient, im2colWeightGradient, im2colWork } from './im2col-weight-gradient.ts';

const SUM_WORKGROUP_SIZE = 64;

/**
 * dw of y = x * w: operands x, dy to dw. The reduction over all pixels is split over workgroups and added in fixed
 * order.
 */
export const convolutionWeightGradient: Kernel<ConvolutionShape> = {
  name: 'convolution_weight_gradient',
  calls: (shape, traits) => {
    if (!canStore(shape, traits)) return [];
    const tiled = productsInOrder(
      vectorTiles(shape, traits),
      matrixWeightGradient(shape, traits),
      convolutionWeightGradient.cost(shape),
      traits,
    );
    if (shape.type === 'f16') {
      const direct = (): KernelCall => convolutionWeightGradient.calls({ ...shape, type: 'f32' }, traits)[0];
      return halvesInOrder(tiled, () => upcast(direct(), tiled[0].operands, traits), traits);
    }
    const rows = shape.kernel[0] * shape.kernel[1] * shape.inputChannels;
    return ownKindFirst(traits, {
      gpu: hasHalfForm(shape)
        ? tiled
        : tileSides(rows, shape.outputChannels, traits).map((side) => scalarTileCall(shape, side)),
      cpu: vectorCalls(shape, traits.subgroupSize),
    });
  },
  reference: (shape, { x, dy }) => {
    const { w: length } = operandSizes(shape);
    const value = new Float64Array(length);
    const magnitude = new Float64Array(length);
    const { inputChannels, outputChannels } = shape;
    forEachTap(shape, (pixel, tap, output) => {
      for (let i = 0, weight = tap; i < inputChannels; i++)
        for (let o = 0; o < outputChannels; o++, weight++) {
          const product = x[pixel + i] * dy[output + o];
          value[weight] += product;
          magnitude[weight] += Math.abs(product);
        }
    });
    const [outputHeight, outputWidth] = outputSize(shape);
    const terms = shape.batch * outputHeight * outputWidth;
    return { dw: { value, error: magnitude.map((sum) => sumError(terms, sum)) } };
  },
  cost: (shape) => {
    const { x, w, y } = operandSizes(shape);
    return { flop: convolutionFlop(shape), bytes: elementBytes(shape.type ?? 'f32') * (x + y) + 4 * w };
  },
  cases: [
    ...convolution.cases.filter(({ epilogue, type }) => epilogue === undefined && type === undefined),
    // Small images, of which most taps meet few pixels, and some none; odd numbers of pixels; tiles that end inside a
    // tap.
    sized(3, [2, 2], [64, 72], 3, 1, 1),
    sized(1, [1, 2], [20, 12], 5, 1, 2),
    sized(1, [3, 2], [36, 36], [3, 5], [2, 3], [2, 3]),
    sized(5, [13, 11], [4, 64], 3, [2, 1], [0, 1]),
    // Tiles within one tap and columns without a rest, which look at no bounds: odd numbers of pixels, with and without
    // splits.
    sized(1, [13, 11], [32, 64], 3, [2, 1], 1),
    sized(3, [9, 5], [64, 128]),
    // Products with few pixels, and with a stride.
    sized(2, [3, 4], [20, 36]),
    sized(3, [4, 5], [72, 136], 1, [2, 3]),
    // By im2col, with blocks of each depth: 16, 32 and 64 pixels; several K-tiles of 64; of 96 and 100, whole and with a
    // rest. Tiles of a plain product.
    sized(1, [4, 4], [96, 68]),
    sized(2, [7, 7], [36, 72], 3, 2, 1),
    sized(4, [4, 4], [64, 128]),
    sized(8, [7, 8], [68, 64], 1, 2),
    sized(4, [8, 8], [32, 68], 3, 1, 1),
    sized(2, [9, 10], [64, 132]),
    sized(4, [7, 7], [64, 64]),
    sized(4, [13, 13], [12, 64], 3, 2, 1),
    sized(5, [11, 11], [20, 36], 1, 2),
    sized(4, [16, 16], [4, 64], 7, 2, 3),
    sized(1, [16, 16], [4, 16], 3, 1, 1),
    // Even numbers of pixels in narrow tiles, plain and not, in splits.
    sized(2, [9, 7], [64, 32], 3, 1, 1),
    sized(4, [8, 12], [128, 32]),
    // In 16-bit floats: split-K, and a plain matrix product that is whole, of few pixels and of more.
    sized(2, [17, 19], [36, 20], 3, 2, 1, HALF),
    sized(1, [5, 7], [36, 68], 1, 1, 0, HALF),
    sized(1, [17, 19], [36, 68], 1, 1, 0, HALF),
    // The stem, of a number of pixels that whole steps divide.
    sized(4, [16, 16], [4, 64], 7, 2, 3, HALF),
    // Split-K by matrix units: more than 512 pixels, a multiple of four.
    sized(4, [12, 12], [20, 36], 3, 1, 1, HALF),
    // Upcast, in tiles that look at no bounds: an odd number of pixels and even ones, in splits too.
    sized(1, [9, 15], [64, 128], 1, 1, 0, HALF),
    sized(2, [13, 19], [32, 128], 3, 1, 1, HALF),
    sized(2, [13, 19], [128, 256], 1, 1, 0, HALF),
    // Upcast, by im2col: blocks of 64 and 96 pixels, with a stride, with padding and without.
    sized(5, [13, 15], [64, 256], 3, 2, 1, HALF),
    sized(4, [8, 8], [256, 128], 1, 2, 0, HALF),
    sized(1, [8, 8], [256, 256], 1, 1, 0, HALF),
    sized(2, [9, 10], [256, 512], 1, 1, 0, HALF),
    sized(5, [11, 11], [256, 512], 1, 2, 0, HALF),
    sized(4, [7, 7], [256, 512], 1, 1, 0, HALF),
    sized(4, [13, 13], [256, 512], 1, 2, 0, HALF),
    // By im2col, with resident accumulators of few rows.
    sized(1, [16, 16], [128, 512], 1, 1, 0, HALF),
  ],
  miniature,
};

/**
 * The variants for processors in software, the one with the least work first. Streaming takes any number of channels,
 * and twice the time.
 */
function vectorCalls(shape: ConvolutionShape, lanes: number): readonly KernelCall[] {
  if (lanes !== 4 && lanes !== 8) return [];
  if (!hasHalfForm(shape)) return [streamingCall(shape, lanes)];
  const tile = weightStationaryCall(shape, lanes);
  const im2col = im2colWeightGradient(shape, lanes);
  return im2colWork(shape, lanes) < tileWork(shape, lanes) ? [...im2col, tile] : [tile, ...im2col];
}

/** Rows of a tile of `convolution_weight_gradient_stationary`: 28 for the stem, whose runs are 7 taps of 4 channels. */
const tileRows = ({ kernel, inputChannels }: ConvolutionShape): number => Math.min(32, kernel[1] * inputChannels);
/** Vectors of columns that each of its lanes has. */
const tileVectors = ({ outputChannels }: ConvolutionShape, lanes: number): number =>
  outputChannels <= 4 * lanes ? 1 : 2;
const tilesOf = (
  shape: ConvolutionShape,
  columns: number,
): { readonly rowGroups: number; readonly columnGroups: number } => ({
  rowGroups: shape.kernel[0] * ceilDivide(shape.kernel[1] * shape.inputChannels, tileRows(shape)),
  columnGroups: ceilDivide(shape.outputChannels, columns),
});

function weightStationaryCall(shape: ConvolutionShape, lanes: number): KernelCall {
  const rows = tileRows(shape);
  const vectors = tileVectors(shape, lanes);
  const columns = 4 * lanes * vectors;
  const { rowGroups, columnGroups } = tilesOf(shape, columns);
  const pointwise = isPointwise(shape);
  // Pixels of an image that a tile visits: all, or some number that depends on its taps.
  const visits = pointwise ? shape.height * shape.width : 1;
  const tiles = columnGroups * rowGroups;
  // Adding parts takes a dispatch more, which few pixels do not repay; but two processors should have work.
  const splitK = Math.max(splitKFor(shape, tiles, 2, 64), splitKFor(shape, tiles, 16, 4096));
  return splitCall(shape, `output-stationary ${rows}x${columns}`, splitK, (share) =>
    withParameters(
      { ...sizesOf(shape, share.images), splitK: share.splitK, rows, imagesPerSplit: share.imagesPerSplit },
      {
        shader: shaders.convolutionWeightGradientOutputStationary,
        features: ['subgroups'],
        constants: {
          LANES: lanes,
          ROWS: rows,
          VECTORS: vectors,
          WHOLE_TAPS: shape.inputChannels % 32 === 0,
          WHOLE_COLUMNS: shape.outputChannels % columns === 0,
          POINTWISE: pointwise,
          EVEN:
            share.imagesPerSplit > 0 && (share.imagesPerSplit * visits) % 2 === 0 && (shape.batch * visits) % 2 === 0,
        },
        operands: ['x', 'dy', share.partialSums],
        workgroups: [columnGroups, rowGroups, share.splitK],
      },
    ),
  );
}

/**
 * The work of `convolution_weight_gradient_stationary` in multiply-adds of all lanes: iterations of two pixels, and a tile
 * to write.
 */
function tileWork(shape: ConvolutionShape, lanes: 4 | 8): number {
  /** Turns that writing a tile takes. */
  const WRITING = 14;
  /** A multiply-add whose sum outlives an iteration. */
  const outlivingSum = lanes === 8 ? 1.28 : 1.75;
  const { access } = COSTS[lanes];
  const vectors = tileVectors(shape, lanes);
  const { rowGroups, columnGroups } = tilesOf(shape, 4 * lanes * vectors);
  const rows = tileRows(shape);
  // With a stride x is read in pieces, each of which takes as long again.
  const pieces = shape.stride[1] > 1 ? 2 : 1;
  const turn = 2 * access * (pieces * ceilDivide(rows, 4 * lanes) + vectors) + 2 * outlivingSum * rows * vectors * 4;
  const pixels = (shape.batch * meetings(shape, 0) * meetings(shape, 1)) / (shape.kernel[0] * shape.kernel[1]);
  return rowGroups * columnGroups * (pixels / 2 + WRITING) * turn;
}

/** Pairs of a tap and an output place along an axis that meet the image. */
function meetings(shape: ConvolutionShape, axis: 0 | 1): number {
  const size = axis === 0 ? shape.height : shape.width;
  const places = outputSize(shape)[axis];
  const [kernel, stride, padding] = [shape.kernel[axis], shape.stride[axis], shape.padding[axis]];
  let count = 0;
  for (let tap = 0; tap < kernel; tap++) {
    const first = Math.max(0, Math.ceil((padding - tap) / stride));
    const end = Math.min(places, Math.ceil((size + padding - tap) / stride));
    count += Math.max(0, end - first);
  }
  return count;
}

function streamingCall(shape: ConvolutionShape, lanes: number): KernelCall {
  const [outputHeight, outputWidth] = outputSize(shape);
  const depth = shape.batch * outputHeight * outputWidth <= 32 ? 32 : 64;
  const columns = shape.outputChannels <= 2 * lanes ? 2 : 4;
  const runLength = shape.kernel[1] * shape.inputChannels;
  const columnGroups = ceilDivide(shape.outputChannels, lanes * columns);
  const rowsPerGroup = Math.min(runLength, 256);
  const rowGroups = shape.kernel[0] * ceilDivide(runLength, rowsPerGroup);
  return splitCall(
    shape,
    `streaming ${depth}x${lanes * columns}`,
    splitKFor(shape, columnGroups * rowGroups, 16, 64),
    ({ partialSums, splitK, images }, pixelsPerSplit) =>
      withParameters(
        { ...sizesOf(shape, images), pixelsPerSplit, rowsPerGroup, depth },
        {
          shader: shaders.convolutionWeightGradientStreaming,
          features: ['subgroups'],
          constants: { LANES: lanes, DEPTH: depth, COLUMNS: columns, Columns: `vec${columns}f` },
          operands: ['x', 'dy', partialSums],
          workgroups: [splitK, columnGroups, rowGroups],
        },
      ),
  );
}

/**
 * Tiles for GPUs: results are few and pixels many, so that small tiles fill a GPU with fewer parts, and large ones read
 * less.
 */
const TILES: readonly Tile[] = [
  { rows: 128, columns: 128, depth: 16, rowsEach: 16, columnsEach: 8 },
  { rows: 128, columns: 64, depth: 16, rowsEach: 8, columnsEach: 8 },
  { rows: 64, columns: 64, depth: 32, rowsEach: 8, columnsEach: 4 },
  { rows: 64, columns: 32, depth: 32, rowsEach: 4, columnsEach: 4 },
];
/** One row of the stem's taps, 7 pixels of 4 channels, and nothing wasted. */
const STEM_TILE: Tile = { rows: 28, columns: 64, depth: 32, rowsEach: 4, columnsEach: 8 };
/**
 * Workgroups that keep a GPU busy: several a compute unit, since their parts differ in length; and many, where their
 * parts are small beside x and dy.
 */
const WANTED_WORKGROUPS = 4 * ASSUMED_COMPUTE_UNITS;
const MANY_WORKGROUPS = 16 * ASSUMED_COMPUTE_UNITS;
const SMALL_SHARE = 1 / 5;

/** The variants by tiles, where four channels can be loaded at once. */
function vectorTiles(shape: ConvolutionShape, traits: AdapterTraits): KernelCall[] {
  if (!hasHalfForm(shape)) return [];
  const element = shape.type ?? 'f32';
  const pointwise = isPointwise(shape);
  const sizes = operandSizes(shape);
  const pixels = sizes.y / shape.outputChannels;
  const stem = shape.kernel[1] * shape.inputChannels === STEM_TILE.rows ? [STEM_TILE] : [];
  return [...stem, ...tilesFor(TILES, traits)]
    .map((tile): KernelCall => {
      const columnTiles = ceilDivide(shape.outputChannels, tile.columns);
      const rowTiles = shape.kernel[0] * ceilDivide(shape.kernel[1] * shape.inputChannels, tile.rows);
      const tiles = columnTiles * rowTiles;
      const steps = ceilDivide(pixels, tile.depth);
      const fewestSteps = 64 / tile.depth;
      const cheapSplits = (SMALL_SHARE * elementBytes(element) * (sizes.x + sizes.y)) / (2 * 4 * sizes.w);
      const wantedWorkgroups = Math.min(MANY_WORKGROUPS, Math.max(WANTED_WORKGROUPS, (tiles * cheapSplits) / 2));
      const wanted = ceilDivide(steps, chooseSplitK(tiles, steps, wantedWorkgroups, fewestSteps)) * tile.depth;
      const pixelsPerSplit = splitPixels(shape, wanted);
      const splitK = ceilDivide(pixels, pixelsPerSplit);
      const vectors = (tile.depth * tile.rows) / 4 / invocations(tile);
      const gradients = (tile.depth * tile.columns) / 4 / invocations(tile);
      return {
        ...withPartials(shape, `tiled ${tileName(tile)}`, pixelsPerSplit, (share) =>
          withParameters(
            { ...sizesOf(shape, share.images), pixelsPerSplit, depth: tile.depth },
            {
              shader: shaders.convolutionWeightGradientTiled,
              libraries: [sumsOfRowVectors(tile.rowsEach, tile.columnsEach / 4, ['storeRow'])],
              features: element === 'f16' ? ['f16'] : [],
              constants: {
                EVEN: pixelsPerSplit % tile.depth === 0 && pixels % tile.depth === 0,
                INSIDE: shape.padding.every((size) => size === 0),
                Scalar: element,
                POINTWISE: pointwise,
                ...tileConstants(tile),
                UNROLLED: traits.kind === 'gpu',
              },
              operands: ['x', 'dy', share.partialSums],
              workgroups: [columnTiles, rowTiles, share.splitK],
            },
          ),
        ),
        product: {
          tile,
          tiles,
          splitK,
          steps: steps / splitK,
          stagingOperations: vectors * (pointwise ? 6 : 26) + gradients * 6,
          workgroupBytes: 4 * tile.depth * (tile.rows + tile.columns),
          results: sizes.w,
          elementBytes: elementBytes(element),
        },
      };
    })
    .filter(({ product }) => product !== undefined && fits(product, traits));
}

/** Where channels are not multiples of four. */
function scalarTileCall(shape: ConvolutionShape, side: number): KernelCall {
  const columnGroups = ceilDivide(shape.outputChannels, 4 * side);
  const rowGroups = shape.kernel[0] * ceilDivide(shape.kernel[1] * shape.inputChannels, 4 * side);
  return splitCall(
    shape,
    `tiled scalar ${4 * side}x${4 * side}x${side}`,
    splitKFor(shape, columnGroups * rowGroups, 512, 64),
    ({ partialSums, splitK, images }, pixelsPerSplit) =>
      withParameters(
        { ...sizesOf(shape, images), pixelsPerSplit },
        {
          shader: shaders.convolutionWeightGradientTiledScalar,
          constants: { SIDE: side },
          operands: ['x', 'dy', partialSums],
          workgroups: [splitK, columnGroups, rowGroups],
        },
      ),
  );
}

/**
 * The pixels of a split, about as many as `wanted`. What some adapter could not bind at once is split between images,
 * so that on any adapter slices can end between splits. No split depends on the limits of the adapter at hand: all add
 * in one order.
 */
function splitPixels(shape: ConvolutionShape, wanted: number): number {
  const element = shape.type ?? 'f32';
  const sizes = operandSizes(shape);
  const imagePixels = sizes.y / shape.outputChannels / shape.batch;
  const largest = elementBytes(element) * Math.max(sizes.x, sizes.y);
  if (largest <= ALWAYS_BOUND) return wanted;
  // A slice's windows onto x, dy and the parts begin at aligned places.
  const alignment = (elements: number, type: FloatType): number => {
    let count = 1;
    while ((elementBytes(type) * count * elements) % BINDING_ALIGNMENT !== 0) count *= 2;
    return count;
  };
  const images = Math.max(alignment(sizes.x / shape.batch, element), alignment(sizes.y / shape.batch, element));
  const most = (ALWAYS_BOUND * shape.batch) / largest / alignment(sizes.w, 'f32');
  return imagePixels * images * Math.max(1, Math.floor(Math.min(most, wanted / imagePixels) / images));
}

/**
 * What a dispatch of the multiplication does: how many splits, over how many images, and the operand that gets their
 * sums.
 */
interface Share {
  readonly splitK: number;
  readonly images: number;
  /** 0 where splits end within images. */
  readonly imagesPerSplit: number;
  readonly partialSums: 'partialSums' | 'dw';
}

/** Splits that give at least `groups` workgroups, but no part of fewer pixels than `leastPixels`. */
function splitKFor(shape: ConvolutionShape, tiles: number, groups: number, leastPixels: number): number {
  const pixels = operandSizes(shape).y / shape.outputChannels;
  return Math.min(ceilDivide(groups, tiles), Math.max(1, Math.floor(pixels / leastPixels)));
}

/** Splits the pixels in about `wanted` parts, and adds these. */
function splitCall(
  shape: ConvolutionShape,
  variant: string,
  wanted: number,
  multiply: (share: Share, pixelsPerSplit: number) => Dispatch,
): KernelCall {
  const pixels = operandSizes(shape).y / shape.outputChannels;
  return withPartials(shape, variant, splitPixels(shape, ceilDivide(pixels, wanted)), multiply);
}

/** The call that multiplies and, where the pixels are split, the one that adds the parts. */
function withPartials(
  shape: ConvolutionShape,
  variant: string,
  pixelsPerSplit: number,
  multiply: (share: Share, pixelsPerSplit: number) => Dispatch,
): KernelCall {
  const sizes = operandSizes(shape);
  const imagePixels = sizes.y / shape.outputChannels / shape.batch;
  const splitK = ceilDivide(imagePixels * shape.batch, pixelsPerSplit);
  const partialSums = splitK > 1 ? 'partialSums' : 'dw';
  const imagesPerSplit = pixelsPerSplit / imagePixels;
  // Splits of whole images can be cut between splits.
  const product = Number.isInteger(imagesPerSplit)
    ? sliceable(
        splitK,
        {
          x: (sizes.x / shape.batch) * imagesPerSplit,
          dy: (sizes.y / shape.batch) * imagesPerSplit,
          partialSums: sizes.w,
        },
        (count, first) =>
          multiply(
            {
              partialSums,
              splitK: count,
              images: Math.min(count * imagesPerSplit, shape.batch - first * imagesPerSplit),
              imagesPerSplit,
            },
            pixelsPerSplit,
          ),
      )
    : multiply({ partialSums, splitK, images: shape.batch, imagesPerSplit: 0 }, pixelsPerSplit);
  const { Element, elements } = widestElement(sizes.w);
  const addPartials: Dispatch = {
    shader: shaders.sumPartials,
    constants: { Element, WORKGROUP_SIZE: SUM_WORKGROUP_SIZE },
    parameters: [elements, splitK],
    operands: ['partialSums', 'dw'],
    workgroups: foldGrid(ceilDivide(elements, SUM_WORKGROUP_SIZE)),
  };
  return {
    variant: `${variant} split-K ${splitK}`,
    operands: {
      x: { role: 'input', type: shape.type ?? 'f32', length: sizes.x },
      dy: { role: 'input', type: shape.type ?? 'f32', length: sizes.y },
      dw: { role: 'output', type: 'f32', length: sizes.w },
      ...(splitK > 1 && { partialSums: { role: 'scratch', type: 'f32', length: splitK * sizes.w } as const }),
    },
    dispatches: splitK > 1 ? [product, addPartials] : [product],
  };
}
