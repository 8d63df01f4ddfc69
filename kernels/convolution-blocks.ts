import { ceilDivide, type AdapterTraits } from '../src/gpu/dispatch.ts';
import * as shaders from '../src/gpu/generated/shaders.ts';
import { isPointwise, type Gather } from './convolution-tiles.ts';
import type { KernelCall } from './kernel.ts';

/** A block of weights that stays while pixels stream past: rows, and columns of a lane. */
interface Block {
  readonly depth: number;
  readonly columns: number;
}

/** Blocks of `convolution_stationary`. All fit the first-level cache beside the pixels. */
const BLOCKS: readonly Block[] = [
  { depth: 64, columns: 8 },
  { depth: 64, columns: 4 },
  { depth: 32, columns: 4 },
  { depth: 64, columns: 2 },
];

/** The variants for processors that execute a subgroup of 4 or 8 invocations as one vector, the one that should be fastest first. */
export function stationaryBlocks(gather: Gather, traits: AdapterTraits): KernelCall[] {
  if (traits.subgroupSize === 8) return worthwhileBlocks(gather, 8).map((block) => stationaryCall(gather, block, 8));
  if (traits.subgroupSize === 4) {
    const byVectors = gather.sourceChannels % 4 === 0 && gather.destinationChannels % 4 === 0;
    // SwiftShader's compiler takes minutes over the scalar form.
    return [...(byVectors ? [stationaryCall(gather, { depth: 64, columns: gather.destinationChannels > 16 ? 8 : 4 }, 4)] : []), interleavedCall(gather, 4)];
  }
  return [];
}

function stationaryCall({ shape, sourceChannels, destinationChannels, phases, pixels, byImages, flags, operands, order }: Gather, { depth, columns }: Block, lanes: number): KernelCall {
  const columnGroups = ceilDivide(destinationChannels, lanes * columns);
  const phaseCount = phases[0] * phases[1];
  const pixelsPerGroup = ceilDivide(pixels, evenGroups(pixels, columnGroups * phaseCount));
  const vector = Math.min(columns, 4);
  // An access to four numbers at once costs little more than half as much as four; fewer columns have no vectors.
  const byVectors = sourceChannels % 4 === 0 && destinationChannels % 4 === 0 && columns >= 4;
  return {
    variant: `stationary ${byVectors ? '' : 'scalar '}${depth}x${lanes * columns}`,
    operands,
    dispatches: [
      byImages((parameters, pixelsOfSlice) => ({
        ...(byVectors
          ? {
              shader: shaders.convolution_stationary,
              constants: { ...flags, LANES: lanes, DEPTH: depth, WIDE: columns > vector, POINTWISE: isPointwise(shape) && sourceChannels % depth === 0 },
              parameters: [...parameters, pixelsPerGroup, depth],
            }
          : {
              shader: shaders.convolution_stationary_scalar,
              constants: { ...flags, LANES: lanes, DEPTH: depth, COLUMNS: vector, Columns: `vec${vector}f`, WIDE: columns > vector },
              parameters: [...parameters, pixelsPerGroup, depth, columns],
            }),
        features: ['subgroups'],
        operands: order,
        workgroups: [ceilDivide(pixelsOfSlice, pixelsPerGroup) * phaseCount, columnGroups, 1],
      })),
    ],
  };
}

/**
 * The blocks worth trying, the one with the least work first. On lavapipe a load or a store of a vector takes as long as 36
 * multiply-adds: each pixel loads its share of a chunk of the reduction, then loads and stores its columns.
 */
function worthwhileBlocks({ shape, phases, sourceChannels, destinationChannels }: Gather, lanes: number): readonly Block[] {
  const ACCESS = 36;
  const run = ceilDivide(shape.kernel[1], phases[1]) * sourceChannels;
  const reduction = ceilDivide(shape.kernel[0], phases[0]) * ceilDivide(run, lanes) * lanes;
  const work = ({ depth, columns }: Block): number =>
    ceilDivide(reduction, depth) * ceilDivide(destinationChannels, lanes * columns) * (depth * columns + ACCESS * (depth / lanes + 2 * columns));
  const least = Math.min(...BLOCKS.map(work));
  return BLOCKS.filter((block) => work(block) <= 1.5 * least).sort((a, b) => work(a) - work(b));
}

/** As few groups of pixels as a second-level cache allows, but in a grid that two or four processors can share evenly. */
function evenGroups(pixels: number, blocksPerGroup: number): number {
  const MOST = 512;
  const LEAST = 128;
  let groups = ceilDivide(pixels, MOST);
  while ((groups * blocksPerGroup) % 4 !== 0 && ceilDivide(pixels, groups + 1) >= LEAST) groups++;
  return groups;
}

function interleavedCall({ shape, sourceChannels, destinationChannels, phases, pixels, byImages, flags, operands, order }: Gather, lanes: number): KernelCall {
  const columns = destinationChannels <= 2 * lanes ? 2 : 4;
  const columnGroups = ceilDivide(destinationChannels, lanes * columns);
  const depth = interleavedDepth(ceilDivide(shape.kernel[1], phases[1]) * sourceChannels);
  const pixelsPerGroup = Math.min(512, Math.max(32, ceilDivide(pixels * columnGroups, 16)));
  return {
    variant: `interleaved ${depth}x${lanes * columns}`,
    operands,
    dispatches: [
      byImages((parameters, pixelsOfSlice) => ({
        shader: shaders.convolution_interleaved,
        features: ['subgroups'],
        constants: { ...flags, LANES: lanes, DEPTH: depth, COLUMNS: columns, Columns: `vec${columns}f` },
        parameters: [...parameters, pixelsPerGroup, depth],
        operands: order,
        workgroups: [ceilDivide(pixelsOfSlice, pixelsPerGroup), columnGroups, phases[0] * phases[1]],
      })),
    ],
  };
}

/** The depth that wastes the fewest multiply-adds on a run of this length, each chunk costing as much as some more for its overhead. */
function interleavedDepth(runLength: number): number {
  const CHUNK_OVERHEAD = 16;
  const work = (depth: number): number => ceilDivide(runLength, depth) * (depth + CHUNK_OVERHEAD);
  return [16, 32, 48, 64].reduce((best, depth) => (work(depth) < work(best) ? depth : best));
}
