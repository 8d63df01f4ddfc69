import { ceilDivide, type AdapterTraits } from '../src/gpu/dispatch.ts';
import * as shaders from '../src/gpu/generated/shaders.ts';
import { isPointwise, tapsOfPhases, type Gather } from './convolution-tiles.ts';
import type { KernelCall } from './kernel.ts';

/** A block of weights that stays while pixels stream past: rows, and columns of a lane. */
export interface Block {
  readonly depth: number;
  readonly columns: number;
}

/** Blocks of `convolution_stationary`. All fit the first-level cache beside the pixels; 100 is half of the stem's products, 2 * 98. */
const BLOCKS: readonly Block[] = [
  { depth: 64, columns: 8 },
  { depth: 96, columns: 8 },
  { depth: 100, columns: 8 },
  { depth: 32, columns: 8 },
  { depth: 16, columns: 8 },
  { depth: 64, columns: 4 },
  { depth: 32, columns: 4 },
  { depth: 64, columns: 2 },
];

/** The variants for processors that execute a subgroup of 4 or 8 invocations as one vector, the one that should be fastest first. */
export function stationaryBlocks(gather: Gather, traits: AdapterTraits): KernelCall[] {
  const lanes = traits.subgroupSize;
  if (lanes === 8) return worthwhileBlocks(gather, lanes).map((block) => stationaryCall(gather, block, lanes));
  // SwiftShader's compiler takes minutes over the scalar form: other numbers of channels are left to tiles.
  if (lanes === 4 && hasVectors(gather)) return [stationaryCall(gather, narrowBlock(gather), lanes)];
  return [];
}

/** The one that should be fastest, of a product whose channels are multiples of four. */
export const bestBlock = (gather: Gather, lanes: 4 | 8): Block => (lanes === 8 ? worthwhileBlocks(gather, lanes)[0] : narrowBlock(gather));
export const bestStationaryCall = (gather: Gather, lanes: 4 | 8): KernelCall => stationaryCall(gather, bestBlock(gather, lanes), lanes);

export const hasVectors = ({ sourceChannels, destinationChannels }: Gather): boolean => sourceChannels % 4 === 0 && destinationChannels % 4 === 0;

/** For four lanes: as deep as the reduction, up to 64. */
const narrowBlock = ({ shape: { kernel }, sourceChannels, destinationChannels }: Gather): Block => ({
  depth: [16, 32].find((depth) => kernel[0] * kernel[1] * sourceChannels <= depth) ?? 64,
  columns: destinationChannels > 16 ? 8 : 4,
});

/** A 1x1 kernel without padding, whatever its stride. */
export const hasOneTap = ({ shape: { kernel, padding } }: Gather): boolean => kernel.every((size) => size === 1) && padding.every((size) => size === 0);

/** Whether all that is loaded for a block of this depth is there, so that nobody needs to look. */
const isWhole = (gather: Gather, depth: number): boolean => hasOneTap(gather) && gather.sourceChannels % depth === 0;

function stationaryCall(gather: Gather, { depth, columns }: Block, lanes: number): KernelCall {
  const { shape, destinationChannels, phases, pixels, byImages, flags, operands, order } = gather;
  const columnGroups = ceilDivide(destinationChannels, lanes * columns);
  const phaseCount = phases[0] * phases[1];
  const pixelsPerGroup = ceilDivide(pixels, evenGroups(pixels, columnGroups * phaseCount));
  const vector = Math.min(columns, 4);
  const byVectors = inVectors(gather, columns);
  return {
    variant: `stationary ${byVectors ? '' : 'scalar '}${depth}x${lanes * columns}`,
    operands,
    dispatches: [
      byImages((parameters, pixelsOfSlice) => ({
        ...(byVectors
          ? {
              shader: shaders.convolution_stationary,
              constants: { ...flags, LANES: lanes, DEPTH: depth, WIDE: columns > vector, INSIDE: hasOneTap(gather), WHOLE: isWhole(gather, depth), POINTWISE: isPointwise(shape) },
              parameters: [...parameters, pixelsPerGroup, depth],
            }
          : {
              shader: shaders.convolution_stationary_scalar,
              constants: { ...flags, LANES: lanes, DEPTH: depth, COLUMNS: vector, Columns: `vec${vector}f`, WIDE: columns > vector },
              parameters: [...parameters, pixelsPerGroup, depth, columns],
            }),
        libraries: [shaders.convolution_axis],
        features: ['subgroups'],
        operands: order,
        workgroups: [ceilDivide(pixelsOfSlice, pixelsPerGroup) * phaseCount, columnGroups, 1],
      })),
    ],
  };
}

/** An access to four numbers at once costs little more than half as much as four; fewer columns have no vectors. */
const inVectors = (gather: Gather, columns: number): boolean => hasVectors(gather) && columns >= 4;

/**
 * The blocks worth trying, the one with the least work first. Each pixel loads its share of a chunk of the reduction, then loads and
 * stores its columns. The unit is a multiply-add of all lanes.
 */
function worthwhileBlocks(gather: Gather, lanes: number): readonly Block[] {
  const { shape, phases, sourceChannels, destinationChannels } = gather;
  // Of a vector or of a number: see docs/kernels/convolution_stationary.md.
  const VECTOR_ACCESS = 50;
  const ACCESS = 36;
  const BOUNDS = 120;
  /** Where only the end of a chunk is looked at. */
  const END = 20;
  const reductions = tapsOfPhases(shape, 0, phases[0]).flatMap((tapsY) => tapsOfPhases(shape, 1, phases[1]).map((tapsX) => tapsY * tapsX * sourceChannels));
  const chunks = (depth: number): number => reductions.reduce((sum, reduction) => sum + ceilDivide(reduction, depth), 0);
  const visit = ({ depth, columns }: Block): number =>
    depth * columns +
    (inVectors(gather, columns) ? VECTOR_ACCESS * (ceilDivide(depth, 4 * lanes) + columns / 2) : ACCESS * (depth / lanes + 2 * columns)) +
    (isWhole(gather, depth) ? 0 : hasOneTap(gather) ? END : BOUNDS);
  // Phases without taps only store zeros, which costs all blocks the same.
  const work = (block: Block): number => chunks(block.depth) * ceilDivide(destinationChannels, lanes * block.columns) * visit(block);
  // A row of 100 takes four loads, the last one for a single vector: with one tap that pays only where it leaves no rest.
  const possible = BLOCKS.filter(({ depth, columns }) => depth <= 64 || (inVectors(gather, columns) && (depth <= 96 || !hasOneTap(gather) || isWhole(gather, depth))));
  // A deeper block must save a chunk.
  const useful = possible.filter((block) => !possible.some(({ depth, columns }) => columns === block.columns && depth < block.depth && chunks(depth) <= chunks(block.depth)));
  const least = Math.min(...useful.map(work));
  return useful.filter((block) => work(block) <= 1.4 * least).sort((a, b) => work(a) - work(b));
}

/**
 * As few groups of pixels as a second-level cache allows, but in a grid that processors can share evenly: four, where that leaves a
 * group enough pixels to repay filling its blocks, or else two.
 */
function evenGroups(pixels: number, blocksPerGroup: number): number {
  const MOST = 512;
  const fewest = ceilDivide(pixels, MOST);
  for (const [processors, least] of [
    [4, 256],
    [2, 64],
  ]) {
    for (let groups = fewest; groups === fewest || pixels >= groups * least; groups++) {
      if ((groups * blocksPerGroup) % processors === 0) return groups;
    }
  }
  return fewest;
}
