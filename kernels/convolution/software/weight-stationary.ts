import type { AdapterTraits } from '../../contract/adapter-traits.ts';
import { ceilDivide } from '../../contract/grid.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { isPointwise, tapsOfPhases, type Gather } from '../gather.ts';
import type { KernelCall } from '../../kernel.ts';
import { epilogueFields, withParameters } from '../parameters.ts';

/**
 * A block of weights that stays while pixels stream past: rows, and columns of a lane. `resident`: the sums of the pixels
 * stay with the workgroup too, which a group of at most `MOST_RESIDENT` allows.
 */
interface Block {
  readonly depth: number;
  readonly columns: number;
  readonly resident?: true;
}

/** Pixels of a group whose accumulators are resident: the arrays of the shader have so many places. */
const MOST_RESIDENT = 64;

/**
 * Blocks of `convolution-weight-stationary.wgsl`. All fit the first-level cache beside the pixels; 100 is half of the stem's
 * products, 2 * 98.
 */
const BLOCKS: readonly Block[] = [
  { depth: 64, columns: 8 },
  { depth: 64, columns: 8, resident: true },
  { depth: 96, columns: 8 },
  { depth: 100, columns: 8 },
  { depth: 32, columns: 8 },
  { depth: 16, columns: 8 },
  { depth: 64, columns: 4 },
  { depth: 32, columns: 4 },
];

/**
 * What things cost a processor in software, in multiply-adds of all lanes: an access to a vector of a buffer; bringing
 * a vector of weights to its place in the block; looking at the end of a K-tile. docs/kernels/convolution/weight-stationary.md
 * has the account.
 */
export const COSTS = {
  4: { access: 30, filling: 58, end: 15 },
  8: { access: 50, filling: 135, end: 20 },
} as const;

/**
 * The variants for processors that execute a subgroup of 4 or 8 invocations as one vector, the one that should be
 * fastest first.
 */
export function weightStationaryCalls(gather: Gather, traits: AdapterTraits): KernelCall[] {
  const lanes = traits.subgroupSize;
  if (lanes === 8) return worthwhileBlocks(gather, lanes).map((block) => weightStationaryCall(gather, block, lanes));
  if (lanes === 4) return [weightStationaryCall(gather, narrowBlock(gather), lanes)];
  return [];
}

/** The one that should be fastest, and its work in multiply-adds of all lanes. */
const bestBlock = (gather: Gather, lanes: 4 | 8): Block =>
  lanes === 8 ? worthwhileBlocks(gather, lanes)[0] : narrowBlock(gather);
export const leastWork = (gather: Gather, lanes: 4 | 8): number => work(gather, bestBlock(gather, lanes), lanes);
export const bestWeightStationaryCall = (gather: Gather, lanes: 4 | 8): KernelCall =>
  weightStationaryCall(gather, bestBlock(gather, lanes), lanes);

/** For four lanes: as deep as the reduction, up to 64. */
const narrowBlock = ({ shape: { kernel }, sourceChannels, destinationChannels }: Gather): Block => ({
  depth: [16, 32].find((depth) => kernel[0] * kernel[1] * sourceChannels <= depth) ?? 64,
  columns: destinationChannels > 16 ? 8 : 4,
});

/** Whether all that is loaded for a block of this depth exists, so that loads need no bounds checks. */
const isWhole = ({ shape, sourceChannels }: Gather, depth: number): boolean =>
  isPointwise(shape) && sourceChannels % depth === 0;

function weightStationaryCall(gather: Gather, block: Block, lanes: number): KernelCall {
  const { destinationChannels, phases, byImages, flags, forward, operands, order } = gather;
  const { depth, columns, resident = false } = block;
  const columnGroups = ceilDivide(destinationChannels, lanes * columns);
  const phaseCount = phases[0] * phases[1];
  const pixelsPerGroup = groupOf(gather, block, lanes);
  return {
    variant: `weight-stationary ${depth}x${lanes * columns}${resident ? ', resident accumulators' : ''}`,
    operands,
    dispatches: [
      byImages((sizes, pixelsOfSlice) =>
        withParameters(
          { ...sizes, ...epilogueFields(flags), pixelsPerGroup, depth, columns },
          {
            shader: shaders.convolutionWeightStationary,
            constants: {
              DATA_GRADIENT: flags.DATA_GRADIENT,
              // Resident sums are stored once, so that an epilogue that does nothing costs little, and one pipeline is enough.
              AFFINE: flags.AFFINE || (forward && resident),
              LANES: lanes,
              DEPTH: depth,
              WIDE: columns > 4,
              RESIDENT: resident,
              POINTWISE: isPointwise(gather.shape),
              WHOLE: !resident && isWhole(gather, depth),
            },
            libraries: [shaders.convolutionAxis],
            features: ['subgroups'],
            operands: order,
            workgroups: [ceilDivide(pixelsOfSlice, pixelsPerGroup) * phaseCount, columnGroups, 1],
          },
        ),
      ),
    ],
  };
}

/** The blocks worth trying, the one with the least work first. */
function worthwhileBlocks(gather: Gather, lanes: 4 | 8): readonly Block[] {
  const kTiles = (block: Block): number => sum(kTilesOfPhases(gather, block));
  const isPossible = (block: Block): boolean => {
    const { depth, resident } = block;
    if (!resident && depth <= 64) return true;
    // For a plain product, deeper blocks gain 2 % at most, which is not worth a pipeline of 1.5 s.
    return resident ? gather.pixels <= 4 * MOST_RESIDENT && kTiles(block) > 1 : !isPointwise(gather.shape);
  };
  const possible = BLOCKS.filter(isPossible);
  // A deeper block must save a K-tile.
  const useful = possible.filter(
    (block) =>
      !possible.some(
        (other) =>
          other.columns === block.columns &&
          other.resident === block.resident &&
          other.depth < block.depth &&
          kTiles(other) <= kTiles(block),
      ),
  );
  // Products mostly take blocks of 64, other convolutions of 96. Another one must save a tenth to be worth a pipeline.
  const usual = isPointwise(gather.shape) ? 64 : 96;
  const costOf = (block: Block): number =>
    work(gather, block, lanes) * (block.resident || block.depth === usual ? 1 : 1.1);
  const ranked = useful.map((block) => ({ block, cost: costOf(block) })).sort((a, b) => a.cost - b.cost);
  return ranked.filter(({ cost }) => cost <= 1.4 * ranked[0].cost).map(({ block }) => block);
}

/** Length of the reduction of each phase. Phases without taps only store zeros, which costs all blocks the same. */
const kTilesOfPhases = ({ shape, phases, sourceChannels }: Gather, { depth }: Block): number[] =>
  tapsOfPhases(shape, 0, phases[0]).flatMap((tapsY) =>
    tapsOfPhases(shape, 1, phases[1]).map((tapsX) => ceilDivide(tapsY * tapsX * sourceChannels, depth)),
  );

/**
 * Each group fills its blocks; each pixel loads its share of a K-tile of the reduction, multiplies, then loads and
 * stores its columns.
 */
function work(gather: Gather, block: Block, lanes: 4 | 8): number {
  /** Cost of testing all bounds. */
  const BOUNDS = 120;
  /** Where accumulators are resident, weights find their place sooner, and so do the sums of an iteration. */
  const RESIDENT_FILLING = 95;
  const RESIDENT_SUMS = 78;
  const { depth, columns, resident } = block;
  const { access, filling, end } = COSTS[lanes];
  const { pixels, destinationChannels } = gather;
  const vectors = columns / 4;
  const stores = access * vectors;
  const multiplying =
    depth * columns +
    access * ceilDivide(depth, 4 * lanes) +
    (isWhole(gather, depth) ? 0 : isPointwise(gather.shape) ? end : BOUNDS);
  const fillings =
    ceilDivide(pixels, groupOf(gather, block, lanes)) * depth * vectors * (resident ? RESIDENT_FILLING : filling);
  const ofPhase = (kTiles: number): number =>
    kTiles * (pixels * multiplying + fillings) +
    pixels * (resident ? kTiles * RESIDENT_SUMS + 2 * stores : kTiles * stores * (kTiles > 1 ? 2 : 1));
  return ceilDivide(destinationChannels, lanes * columns) * sum(kTilesOfPhases(gather, block).map(ofPhase));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Pixels of a workgroup. */
function groupOf(
  { shape, destinationChannels, phases, pixels }: Gather,
  { columns, resident }: Block,
  lanes: number,
): number {
  if (!resident)
    return ceilDivide(
      pixels,
      evenGroups(pixels, ceilDivide(destinationChannels, lanes * columns) * phases[0] * phases[1]),
    );
  // Whole images, if one is small enough: of these only the pixels are visited that a tap meets.
  const unit = pixels <= MOST_RESIDENT * shape.batch ? pixels / shape.batch : 1;
  const units = pixels / unit;
  return ceilDivide(units, ceilDivide(units, Math.floor(MOST_RESIDENT / unit))) * unit;
}

/**
 * As few groups of pixels as a second-level cache allows, but in a grid that processors can share evenly: four, where
 * that leaves a group enough pixels to repay filling its blocks, or else two.
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
