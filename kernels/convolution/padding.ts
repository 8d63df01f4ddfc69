import type { Dispatch } from '../contract/dispatch.ts';
import type { FloatType } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { KernelCall } from '../kernel.ts';
import { convertOperands } from './operand-conversion.ts';
import { hasVectors, operandSizes, type ConvolutionShape } from './problem.ts';

const WORKGROUP_SIZE = 64;

/** The shape of an operand whose last two axes may be padded: matrices, rows, columns. */
type Matrices = readonly [number, number, number];

/**
 * The variants of a convolution whose shaders load four channels at once. Where channel counts are no multiples of four,
 * they run on operands padded with zeros, and what they write is cropped.
 * @param variants of a shape with channel counts that are multiples of four
 */
export function withPadding<Shape extends ConvolutionShape>(
  shape: Shape,
  variants: (padded: Shape) => readonly KernelCall[],
): readonly KernelCall[] {
  if (hasVectors(shape)) return variants(shape);
  const [inputChannels, outputChannels] = [shape.inputChannels, shape.outputChannels].map(
    (channels) => 4 * ceilDivide(channels, 4),
  );
  const padded = { ...shape, inputChannels, outputChannels };
  return variants(padded).map((call) => paddedCall(call, matricesOf(shape), matricesOf(padded)));
}

/** The operands of forward pass, data gradient, weight gradient and epilogue, the weights first. */
function matricesOf(shape: ConvolutionShape): Readonly<Record<string, Matrices>> {
  const { inputChannels, outputChannels, kernel } = shape;
  const sizes = operandSizes(shape);
  const x: Matrices = [sizes.x / inputChannels, 1, inputChannels];
  const w: Matrices = [kernel[0] * kernel[1], inputChannels, outputChannels];
  const y: Matrices = [sizes.y / outputChannels, 1, outputChannels];
  const vector: Matrices = [1, 1, outputChannels];
  return { w, x, y, dw: w, dx: x, dy: y, scale: vector, shift: vector, residual: y };
}

function paddedCall(
  call: KernelCall,
  outer: Readonly<Record<string, Matrices>>,
  inner: Readonly<Record<string, Matrices>>,
): KernelCall {
  const names = Object.keys(outer).filter(
    (name) =>
      name in call.operands &&
      call.operands[name].role !== 'scratch' &&
      outer[name].some((size, axis) => size !== inner[name][axis]),
  );
  const operands = Object.fromEntries(
    names.map((name) => [name, { ...call.operands[name], length: outer[name].reduce((a, b) => a * b) }]),
  );
  const typeOf = (name: string): FloatType => (operands[name].type === 'f16' ? 'f16' : 'f32');
  const converted = convertOperands(call, {
    name: 'padded',
    operands,
    before: (from, to) => [resized('pad', from, outer[from], to, inner[from], typeOf(from))],
    after: (from, to) => [resized('crop', to, outer[to], from, inner[to], typeOf(to))],
  });
  return { ...converted, prepacking: names[0] === 'w' ? 1 : undefined };
}

/** Pads or crops all matrices of a tensor. */
function resized(
  entryPoint: 'pad' | 'crop',
  tensor: string,
  [matrices, rows, columns]: Matrices,
  padded: string,
  [, paddedRows, paddedColumns]: Matrices,
  type: FloatType,
): Dispatch {
  const vectors = paddedColumns / 4;
  const width = [1, 2, 4].find((invocations) => invocations >= vectors) ?? 8;
  return sliceable(matrices, { [tensor]: rows * columns, [padded]: paddedRows * paddedColumns }, (count): Dispatch => {
    const [y, z] = foldGrid(ceilDivide(count * (entryPoint === 'pad' ? paddedRows : rows), WORKGROUP_SIZE / width));
    return {
      shader: shaders.padding,
      entryPoint,
      features: type === 'f16' ? ['f16'] : [],
      constants: { Scalar: type, WIDTH: width },
      parameters: [count, rows, columns, paddedRows, vectors],
      operands: [tensor, padded],
      workgroups: [ceilDivide(vectors, width), y, z],
    };
  });
}
