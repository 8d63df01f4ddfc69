import type { AdapterTraits } from '../contract/adapter-traits.ts';
import { elementBytes } from '../contract/element-types.ts';
import { ceilDivide } from '../contract/grid.ts';
import { canStore } from '../contract/storage-type.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { transposedProducts } from './software/transposed-data-gradient.ts';
import { weightStationaryCalls } from './software/weight-stationary.ts';
import { directLoops } from './direct.ts';
import { gatherOf, type Direction } from './gather.ts';
import { matrixTiles } from './gpu/matrix-units.ts';
import { tileSides, vectorTiles } from './gpu/tiles.ts';
import type { KernelCall } from '../kernel.ts';
import { withParameters } from './parameters.ts';
import { convolutionFlop, operandSizes, type ConvolutionProblem } from './problem.ts';
import { halvesInOrder, ownKindFirst, productsInOrder } from '../select.ts';
import { upcast } from './upcast.ts';
import { isWinograd, withWinograd } from './winograd.ts';

/**
 * The variants of a gather convolution over operands x, w, y or dy, w, dx (and scale, shift, residual for the
 * epilogue), the one to prefer on this adapter first. None where the adapter has no 16-bit floats, or no shader takes
 * the shape in them.
 */
export function gatherCalls(problem: ConvolutionProblem, direction: Direction, traits: AdapterTraits): KernelCall[] {
  if (!canStore(problem, traits)) return [];
  const gather = gatherOf(problem, direction);
  const { shape, element, operands, order, flags, phases, pixels, destinationChannels, byImages } = gather;
  const sizes = operandSizes(shape);
  const cost = { flop: convolutionFlop(shape), bytes: elementBytes(element) * (sizes.x + sizes.w + sizes.y) };
  const byVectors = productsInOrder(vectorTiles(gather, traits), matrixTiles(gather, traits), cost, traits);
  if (element === 'f16') {
    // Nothing but tiles has a 16-bit form.
    const f32Variant = (): KernelCall =>
      gatherCalls({ ...problem, type: 'f32' }, direction, traits).filter(
        ({ errorBound }) => errorBound === undefined,
      )[0];
    return [...halvesInOrder(byVectors, () => upcast(f32Variant(), operands, traits), traits)];
  }
  const direct = ownKindFirst(traits, {
    gpu: byVectors.length > 0 ? byVectors : scalarTiles(),
    cpu: [...transposedProducts(gather, traits), ...weightStationaryCalls(gather, traits)],
  });
  const supportsWinograd = isWinograd(shape.kernel, shape.stride, shape.padding);
  return [...(supportsWinograd ? withWinograd(direct, gather, traits) : direct), ...directLoops(gather)];

  /** Where channels are not multiples of four. */
  function scalarTiles(): KernelCall[] {
    return tileSides(pixels * phases[0] * phases[1], destinationChannels, traits).map((side) => ({
      variant: `tiled scalar ${4 * side}x${4 * side}x${side}`,
      operands,
      dispatches: [
        byImages((slice, pixelsOfSlice) =>
          withParameters(slice, {
            shader: shaders.convolutionTiledScalar,
            libraries: [shaders.convolutionAxis],
            constants: { ...flags, SIDE: side },
            operands: order,
            workgroups: [
              ceilDivide(pixelsOfSlice, 4 * side),
              ceilDivide(destinationChannels, 4 * side),
              phases[0] * phases[1],
            ],
          }),
        ),
      ],
    }));
  }
}
