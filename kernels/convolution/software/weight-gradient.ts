import { ceilDivide } from '../../contract/grid.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import type { KernelCall } from '../../kernel.ts';
import { isPointwise } from '../gather.ts';
import { sizesOf, withParameters } from '../parameters.ts';
import { outputSize, type ConvolutionShape } from '../problem.ts';
import { splitCall, splitKFor } from '../weight-gradient-splits.ts';
import { im2colWeightGradient, im2colWork } from './im2col-weight-gradient.ts';
import { COSTS } from './weight-stationary.ts';

/** The variants for processors in software, the one with the least work first. */
export function softwareWeightGradients(shape: ConvolutionShape, lanes: number): readonly KernelCall[] {
  if (lanes !== 4 && lanes !== 8) return [];
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
  /** Iterations that writing a tile takes. */
  const WRITING = 14;
  /** A multiply-add whose sum outlives an iteration. */
  const outlivingSum = lanes === 8 ? 1.28 : 1.75;
  const { access } = COSTS[lanes];
  const vectors = tileVectors(shape, lanes);
  const { rowGroups, columnGroups } = tilesOf(shape, 4 * lanes * vectors);
  const rows = tileRows(shape);
  // With a stride x is read in pieces, each of which takes as long again.
  const pieces = shape.stride[1] > 1 ? 2 : 1;
  const iteration =
    2 * access * (pieces * ceilDivide(rows, 4 * lanes) + vectors) + 2 * outlivingSum * rows * vectors * 4;
  const pixels = (shape.batch * meetings(shape, 0) * meetings(shape, 1)) / (shape.kernel[0] * shape.kernel[1]);
  return rowGroups * columnGroups * (pixels / 2 + WRITING) * iteration;
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
