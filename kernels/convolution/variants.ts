import type { AdapterTraits } from '../contract/adapter-traits.ts';
import { canStore } from '../contract/storage-type.ts';
import type { KernelCall } from '../kernel.ts';
import { halvesInOrder, ownKindFirst, productsInOrder } from '../select.ts';
import { directLoops } from './direct.ts';
import { gatherOf, type Direction } from './gather.ts';
import { matrixTiles } from './gpu/matrix-units.ts';
import { vectorTiles } from './gpu/tiles.ts';
import { withPadding } from './padding.ts';
import { convolutionCost, type ConvolutionProblem } from './problem.ts';
import { transposedProducts } from './software/transposed-data-gradient.ts';
import { weightStationaryCalls } from './software/weight-stationary.ts';
import { upcast } from './upcast.ts';
import { isWinograd, withWinograd } from './winograd.ts';

/**
 * The variants of a gather convolution over operands x, w, y or dy, w, dx (and scale, shift, residual for the
 * epilogue), the one to prefer on this adapter first. None where the adapter cannot store the type.
 */
export function gatherCalls(
  problem: ConvolutionProblem,
  direction: Direction,
  traits: AdapterTraits,
): readonly KernelCall[] {
  if (!canStore(problem, traits)) return [];
  const products = withPadding(problem, (padded) => productCalls(padded, direction, traits));
  // Nothing but products has a 16-bit form.
  if (problem.type === 'f16') return products;
  const { kernel, stride, padding } = problem;
  return [
    ...(isWinograd(kernel, stride, padding)
      ? withWinograd(products, gatherOf(problem, direction), convolutionCost(problem), traits)
      : products),
    ...withPadding(problem, (padded) => directLoops(gatherOf(padded, direction))),
  ];
}

/** The implicit matrix products, whose shaders load four channels at once. */
function productCalls(problem: ConvolutionProblem, direction: Direction, traits: AdapterTraits): readonly KernelCall[] {
  const gather = gatherOf(problem, direction);
  const tiled = productsInOrder(
    vectorTiles(gather, traits),
    matrixTiles(gather, traits),
    convolutionCost(problem),
    traits,
  );
  if (problem.type === 'f16') {
    const direct = (): KernelCall => productCalls({ ...problem, type: 'f32' }, direction, traits)[0];
    return halvesInOrder(tiled, () => upcast(direct(), gather.operands, traits), traits);
  }
  return ownKindFirst(traits, {
    gpu: tiled,
    cpu: [...transposedProducts(gather, traits), ...weightStationaryCalls(gather, traits)],
  });
}
