import { ceilDivide, foldGrid, type AdapterTraits, type Dispatch, type Shader } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { LARGE_TILE, MIDDLE_TILE, pointwiseStaging, SMALL_TILE, tileLibraries } from './gpu/tiles.ts';
import type { Gather } from './gather.ts';
import { productShape, sizesOf, withParameters } from './parameters.ts';
import { ASSUMED_GPU, fastestFirst, predict } from '../cost-model.ts';
import { EPSILON, sumError, type Cost, type KernelCall, type Operand, type Values } from '../kernel.ts';
import { algorithmsInOrder, type Algorithm } from '../select.ts';
import type { BlockStyle } from '../reduction/row-blocks.ts';
import { fits, tileConstants, tileName, type Tile as ConvolutionTile, type TiledProduct } from '../contract/tiles.ts';

/**
 * A 3x3 convolution with stride 1 that gathers a source into a destination: x into y, or the gradient of y into that of
 * x.
 */
export interface WinogradProblem {
  readonly batch: number;
  readonly source: Image;
  readonly destination: Image;
  /** Zero pixels around the source. */
  readonly padding: readonly [number, number];
  /** The weights are flipped in both axes and their channels exchanged. */
  readonly dataGradient: boolean;
  readonly affine: boolean;
  readonly residual: boolean;
  readonly relu: boolean;
  /** What the operands source and destination are called. */
  readonly names: { readonly source: string; readonly destination: string };
}

interface Image {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Destination pixels of a tile's side: F(2x2, 3x3) or F(4x4, 3x3). */
type Tile = 2 | 4;

type Matrix = readonly (readonly number[])[];

/**
 * y = A^T ((G g) * (B^T d)) for TILE destinations of 3 taps g and a line d of TILE + 2 sources. Of F(2, 3) with points
 * 0, 1, -1 and infinity, and of F(4, 3) with 0, 3/4, -3/4, 3/2, -3/2 and infinity: half the error of the usual 0, 1,
 * -1, 2, -2, see docs/kernels/convolution/winograd.md. The shaders hold the same numbers as formulas.
 */
export const WINOGRAD_MATRICES: Readonly<Record<Tile, { readonly A: Matrix; readonly B: Matrix; readonly G: Matrix }>> =
  {
    2: {
      A: [
        [1, 0],
        [1, 1],
        [1, -1],
        [0, 1],
      ],
      B: [
        [1, 0, 0, 0],
        [0, 1, -1, -1],
        [-1, 1, 1, 0],
        [0, 0, 0, 1],
      ],
      G: [
        [1, 0, 0],
        [1 / 2, 1 / 2, 1 / 2],
        [1 / 2, -1 / 2, 1 / 2],
        [0, 0, 1],
      ],
    },
    4: {
      A: [
        [1, 0, 0, 0],
        [1, 3 / 4, 9 / 16, 27 / 64],
        [1, -3 / 4, 9 / 16, -27 / 64],
        [1, 3 / 2, 9 / 4, 27 / 8],
        [1, -3 / 2, 9 / 4, -27 / 8],
        [0, 0, 0, 1],
      ],
      B: [
        [81 / 64, 0, 0, 0, 0, 0],
        [0, -27 / 16, 27 / 16, -27 / 32, 27 / 32, 81 / 64],
        [-45 / 16, -9 / 4, -9 / 4, -9 / 16, -9 / 16, 0],
        [0, 3 / 4, -3 / 4, 3 / 2, -3 / 2, -45 / 16],
        [1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
      ],
      G: [
        [64 / 81, 0, 0],
        [-128 / 243, -32 / 81, -8 / 27],
        [-128 / 243, 32 / 81, -8 / 27],
        [32 / 243, 16 / 81, 8 / 27],
        [32 / 243, -16 / 81, 8 / 27],
        [0, 0, 1],
      ],
    },
  };

/**
 * Roundings that a product passes outside its sum: two passes of each of the three transforms, by their longest lines.
 */
const TRANSFORM_ROUNDINGS: Readonly<Record<Tile, number>> = { 2: 2 * (3 + 1 + 3), 4: 2 * (4 + 5 + 6) };

/** Scratch above this is more than WebGPU's smallest limit allows to bind. */
const LARGEST_SCRATCH = 2 ** 27 / 4;

/** Whether the algorithm applies. */
export function isWinograd(kernel: readonly number[], stride: readonly number[], padding: readonly number[]): boolean {
  return (
    kernel.every((size) => size === 3) && stride.every((step) => step === 1) && padding.every((pixels) => pixels <= 2)
  );
}

/**
 * The variants by Winograd's minimal filtering: transform weights (the prepacking) and tiles of the source, multiply
 * them as (TILE + 2)^2 matrix products, transform back. Put before or behind the direct variants, as this adapter
 * prefers.
 */
export function withWinograd(direct: readonly KernelCall[], gather: Gather, traits: AdapterTraits): KernelCall[] {
  const problem = problemOf(gather);
  const { operands } = gather;
  const calls = (tile: Tile): KernelCall[] =>
    productSchemes(problem, traits).flatMap((scheme) => winogradCall(problem, tile, scheme, operands, traits) ?? []);
  const ways =
    traits.kind === 'cpu' ? waysOfProcessors(direct, calls, problem, traits) : waysOfGpus(direct, calls, problem);
  return algorithmsInOrder(ways);
}

const problemOf = ({ shape, forward, sizes, flags, order }: Gather): WinogradProblem => {
  const image = (side: 'source' | 'destination'): Image => ({
    height: sizes[`${side}Height`],
    width: sizes[`${side}Width`],
    channels: sizes[`${side}Channels`],
  });
  return {
    batch: shape.batch,
    source: image('source'),
    destination: image('destination'),
    // The gradient of a convolution is one with flipped weights, whose padding makes the sizes fit.
    padding: forward ? shape.padding : [2 - shape.padding[0], 2 - shape.padding[1]],
    dataGradient: !forward,
    affine: flags.AFFINE,
    residual: flags.RESIDUAL,
    relu: flags.RELU,
    names: { source: order[0], destination: order[2] },
  };
};

function waysOfProcessors(
  direct: readonly KernelCall[],
  calls: (tile: Tile) => readonly KernelCall[],
  problem: WinogradProblem,
  traits: AdapterTraits,
): Algorithm[] {
  const times = timesOf(traits);
  const prepared = traits.prepackedWeights === true;
  return [
    { time: directTime(problem, times), calls: direct },
    ...([4, 2] as const).map((tile) => ({ time: winogradTime(problem, tile, times, prepared), calls: calls(tile) })),
  ];
}

/** By the cost model, which counts the passes of the transforms as traffic of the memory. */
function waysOfGpus(
  direct: readonly KernelCall[],
  calls: (tile: Tile) => readonly KernelCall[],
  problem: WinogradProblem,
): Algorithm[] {
  const cost = costOf(problem);
  const time = (ofWay: readonly KernelCall[]): number =>
    Math.min(...ofWay.map((call) => predict(call, cost, ASSUMED_GPU).time));
  return [direct, ...([4, 2] as const).map((tile) => fastestFirst(calls(tile), cost))].map((ofWay) => ({
    time: time(ofWay),
    calls: ofWay,
  }));
}

/** Of the convolution, whichever way it is done: operations of the direct one, each operand once. */
function costOf({ batch, source, destination }: WinogradProblem): Cost {
  const sizeOf = ({ height, width, channels }: Image): number => batch * height * width * channels;
  return {
    flop: 2 * 9 * source.channels * sizeOf(destination),
    bytes: 4 * (sizeOf(source) + 9 * source.channels * destination.channels + sizeOf(destination)),
  };
}

/**
 * Estimates for processors that calculate in software, by the lanes of a vector; the unit is a vector's multiply-add in
 * a weight-stationary product. Fitted to SwiftShader (4 lanes) and lavapipe (8), see docs/kernels/convolution/winograd.md. Both prefer the
 * weight-stationary blocks for a direct convolution, where channels are multiples of four.
 */
interface Times {
  /** A multiply-add of the direct convolution, which looks at the bounds of what it loads. */
  readonly direct: number;
  /** A load or store of the transforms. */
  readonly memory: number;
  /** To bring a vector of weights into a weight-stationary block. */
  readonly block: number;
}
const LAVAPIPE: Times = { direct: 1.15, memory: 32, block: 33 };
const SWIFTSHADER: Times = { direct: 1.4, memory: 12, block: 16 };
const timesOf = ({ subgroupSize }: AdapterTraits): Times => (subgroupSize === 4 ? SWIFTSHADER : LAVAPIPE);

const BLOCK_ROWS = 512;
const weightStationaryTime = (rows: number, { block }: Times): number => rows + block * ceilDivide(rows, BLOCK_ROWS);

/** Each tap is a product over the pixels that it meets; padding is left out. */
function directTime({ batch, source, destination, padding }: WinogradProblem, times: Times): number {
  const met = (axis: 0 | 1, sourceSize: number, size: number): number =>
    [0, 1, 2].reduce(
      (sum, tap) =>
        sum + Math.max(0, Math.min(size, sourceSize + padding[axis] - tap) - Math.max(0, padding[axis] - tap)),
      0,
    );
  const products = batch * met(0, source.height, destination.height) * met(1, source.width, destination.width);
  const blocks = 9 * times.block * ceilDivide(batch * destination.height * destination.width, BLOCK_ROWS);
  return source.channels * destination.channels * (times.direct * products + blocks);
}

/** @param prepared the weights' transforms are there already */
function winogradTime(
  { batch, source, destination }: WinogradProblem,
  tile: Tile,
  times: Times,
  prepared: boolean,
): number {
  const frequencies = (tile + 2) ** 2;
  const tiles = batch * tilesOf(destination, tile);
  const weights = source.channels * destination.channels;
  const transforms =
    (prepared ? 0 : (9 + frequencies) * weights) +
    tiles * (2 * frequencies * source.channels + (frequencies + tile * tile) * destination.channels);
  return frequencies * weights * weightStationaryTime(tiles, times) + times.memory * transforms;
}

/** One way to multiply the transformed matrices, and what it asks of their sizes and of the layout of the weights. */
interface ProductScheme {
  readonly name: string;
  readonly depthMultiple: number;
  readonly columnMultiple: number;
  /** Weights lie in blocks of columnMultiple columns, or as one matrix. */
  readonly blocked: boolean;
  dispatch(sizes: ProductSizes): Dispatch;
  /** What the cost model counts, by tiles of workgroup memory. */
  product?(sizes: ProductSizes): TiledProduct;
}

/** The operands of the product: source, weights, result. */
const FACTORS = ['transformedSource', 'transformedWeights', 'product'] as const;

interface ProductSizes {
  readonly batch: number;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
}

function productSchemes({ source, destination }: WinogradProblem, traits: AdapterTraits): ProductScheme[] {
  const lanes = traits.subgroupSize;
  const weightStationary =
    lanes === 4 || lanes === 8 ? [weightStationaryScheme(lanes, source.channels, destination.channels)] : [];
  const tiled = PRODUCT_TILES.filter((tile) => fits({ tile, ...pointwiseStaging(tile) }, traits)).map((tile) =>
    tiledScheme(tile, traits),
  );
  // A processor that calculates in software prefers its stack; a GPU prefers its workgroup memory.
  return traits.kind === 'cpu' ? [...weightStationary, ...tiled.slice(-1)] : tiled;
}

/** As many as a tuner has time for. */
const PRODUCT_TILES = [LARGE_TILE, MIDDLE_TILE, SMALL_TILE];

function weightStationaryScheme(lanes: number, depth: number, columns: number): ProductScheme {
  const blockDepth = depth > 32 ? 64 : depth > 16 ? 32 : 4 * lanes;
  const laneColumns = columnsOfLane(lanes, columns);
  return {
    name: `weight-stationary ${blockDepth}x${lanes * laneColumns}`,
    depthMultiple: blockDepth,
    columnMultiple: lanes * laneColumns,
    blocked: true,
    dispatch: (sizes) => ({
      shader: shaders.batchedMatrixProductWeightStationary,
      features: ['subgroups'],
      constants: { LANES: lanes, DEPTH: blockDepth, WIDE: laneColumns > 4 },
      parameters: [sizes.rows, sizes.depth, sizes.columns, BLOCK_ROWS, blockDepth],
      operands: FACTORS,
      workgroups: [ceilDivide(sizes.rows, BLOCK_ROWS), sizes.columns / (lanes * laneColumns), sizes.batch],
    }),
  };
}

/** The columns of a lane, 8 unless 4 fill up the last block less. */
function columnsOfLane(lanes: number, columns: number): number {
  return roundUp(columns, 8 * lanes) === roundUp(columns, 4 * lanes) ? 8 : 4;
}

const NO_EPILOGUE = { DATA_GRADIENT: false, AFFINE: false, RESIDUAL: false, RELU: false };

/** By the tiles of the direct convolution: a product is a 1x1 convolution of as many pixels as it has rows. */
function tiledScheme(tile: ConvolutionTile, traits: AdapterTraits): ProductScheme {
  const steps = (depth: number): number => ceilDivide(depth, tile.depth);
  const grid = ({ rows, columns }: ProductSizes): number =>
    ceilDivide(rows, tile.rows) * ceilDivide(columns, tile.columns);
  return {
    name: `tiled ${tileName(tile)}`,
    depthMultiple: 4,
    columnMultiple: 4,
    blocked: false,
    dispatch: (sizes) => {
      const whole = sizes.depth % tile.depth === 0;
      const [x, y] = foldGrid(grid(sizes), traits.maxWorkgroupsPerDimension);
      return withParameters(
        {
          ...sizesOf(productShape(sizes.rows, sizes.depth, sizes.columns)),
          stepsPerSplit: steps(sizes.depth),
          depth: tile.depth,
        },
        {
          shader: shaders.convolutionTiled,
          libraries: tileLibraries(tile),
          constants: {
            ...NO_EPILOGUE,
            POINTWISE: true,
            WHOLE: whole,
            INSIDE: true,
            Scalar: 'f32',
            Target: 'f32',
            BATCHED: true,
            ...tileConstants(tile),
            UNROLLED: traits.kind === 'gpu',
          },
          operands: [...FACTORS, 'scale', 'shift', 'residual'],
          workgroups: [x, y, sizes.batch],
        },
      );
    },
    product: (sizes) => ({
      tile,
      tiles: sizes.batch * grid(sizes),
      splitK: 1,
      steps: steps(sizes.depth),
      ...pointwiseStaging(tile),
      results: sizes.batch * sizes.rows * sizes.columns,
      elementBytes: 4,
    }),
  };
}

const tilesOf = ({ height, width }: Image, tile: Tile): number => ceilDivide(height, tile) * ceilDivide(width, tile);
const roundUp = (value: number, multiple: number): number => ceilDivide(value, multiple) * multiple;

function winogradCall(
  problem: WinogradProblem,
  tile: Tile,
  scheme: ProductScheme,
  operands: Readonly<Record<string, Operand>>,
  traits: AdapterTraits,
): KernelCall | undefined {
  const { batch, source, destination, padding, dataGradient, affine, residual, relu, names } = problem;
  const side = tile + 2;
  const frequencies = side * side;
  const tilesY = ceilDivide(destination.height, tile);
  const tilesX = ceilDivide(destination.width, tile);
  const tiles = batch * tilesY * tilesX;
  const depth = roundUp(source.channels, scheme.depthMultiple);
  const columns = roundUp(destination.channels, scheme.columnMultiple);
  const scratch = (length: number): Operand => ({ role: 'scratch', type: 'f32', length });
  const transformed = {
    transformedWeights: scratch(frequencies * depth * columns),
    transformedSource: scratch(frequencies * tiles * depth),
    product: scratch(frequencies * tiles * columns),
  };
  if (Object.values(transformed).some(({ length }) => length > LARGEST_SCRATCH)) return undefined;

  const sizes = { TILE: tile, SIDE: side };
  const sizesOfProduct = { batch: frequencies, rows: tiles, depth, columns };
  const bytesOf = (...partialSums: readonly Operand[]): number =>
    4 * partialSums.reduce((sum, { length }) => sum + length, 0);
  const product = scheme.product && {
    ...scheme.product(sizesOfProduct),
    laidOut: {
      from: bytesOf(operands[names.source], operands.w),
      to: bytesOf(transformed.transformedSource, transformed.transformedWeights),
      before: traits.prepackedWeights === true ? bytesOf(operands.w, transformed.transformedWeights) : 0,
    },
    finished: { from: bytesOf(transformed.product), to: bytesOf(operands[names.destination]) },
  };
  const grid = (invocations: number): readonly [number, number, number] => foldGrid(ceilDivide(invocations, 64));
  const weightGrid = grid(depth * columns);
  const sourceGrid = grid(tiles * depth);
  const destinationGrid = grid(tiles * destination.channels);
  return {
    variant: `winograd ${tile}x${tile} ${scheme.name}`,
    operands: { ...operands, ...transformed },
    prepacking: 1,
    dispatches: [
      {
        shader: shaders.winogradWeights,
        constants: { DATA_GRADIENT: dataGradient, ...sizes },
        parameters: [
          source.channels,
          destination.channels,
          depth,
          columns,
          scheme.blocked ? scheme.columnMultiple : columns,
          weightGrid[0],
        ],
        operands: ['w', 'transformedWeights'],
        workgroups: weightGrid,
      },
      {
        shader: shaders.winogradInput,
        constants: sizes,
        parameters: [
          tiles,
          tilesY,
          tilesX,
          source.height,
          source.width,
          source.channels,
          depth,
          ...padding,
          sourceGrid[0],
        ],
        operands: [names.source, 'transformedSource'],
        workgroups: sourceGrid,
      },
      scheme.dispatch(sizesOfProduct),
      {
        shader: shaders.winogradOutput,
        libraries: [WITHOUT_STATISTICS],
        constants: { AFFINE: affine, RESIDUAL: residual, RELU: relu, ...sizes },
        parameters: [
          tiles,
          tilesY,
          tilesX,
          destination.height,
          destination.width,
          destination.channels,
          columns,
          destinationGrid[0],
          0,
          0,
          0,
        ],
        operands: ['product', names.destination, 'scale', 'shift', 'residual'],
        workgroups: destinationGrid,
      },
    ],
    errorBound: (inputs) => ({ [names.destination]: errorBound(problem, tile, inputs) }),
    product,
  };
}

/** Nothing is done with the pixels but to store them: the statistics stay out of what inference loads. */
const WITHOUT_STATISTICS: Shader = { name: 'no statistics', source: 'fn takeIn(column: vec4f, height: u32) {}\n' };

/** Invocations of a workgroup of winograd-output.wgsl. */
const OUTPUT_WORKGROUP_SIZE = 64;
/** Tiles that an invocation reduces before others put its result together, and pixels where it works alone. */
const SHARED_TILES_A_LANE = 2;
const OWN_PIXELS_A_LANE = 128;

/** Blocks of tiles, of as many pixels each except the last. */
interface TileBlocks {
  readonly blocks: number;
  readonly rowsPerBlock: number;
}

/**
 * A call whose last dispatch also reduces the pixels that it stores, to `partials`: of blocks of tiles, for `combine`
 * of batch-norm-statistics.wgsl. Undefined where the call is none of Winograd's.
 */
export function withStatistics(
  { dispatches }: KernelCall,
  { sharedRows, columnInvocations: mostColumnLanes }: BlockStyle,
): { readonly blocks: TileBlocks; readonly dispatches: readonly Dispatch[] } | undefined {
  const output = dispatches[dispatches.length - 1];
  if (output.shader !== shaders.winogradOutput) return undefined;
  const tile = Number(output.constants?.TILE);
  const [tiles, tilesY, tilesX, height, width, channels] = (output.parameters ?? []).map(Number);
  const columnInvocations = Math.min(channels, mostColumnLanes);
  const tileLanes = Math.floor(OUTPUT_WORKGROUP_SIZE / columnInvocations);
  // Whole rows of tiles have as many pixels wherever they are, unless the image ends within one; whole images always
  // have.
  const unit =
    height % tile === 0 ? { tiles: tilesX, pixels: tile * width } : { tiles: tilesX * tilesY, pixels: height * width };
  const units = sharedRows
    ? ceilDivide(SHARED_TILES_A_LANE * tileLanes, unit.tiles)
    : ceilDivide(OWN_PIXELS_A_LANE, unit.pixels);
  const blocks = ceilDivide(tiles, units * unit.tiles);
  const withPartials: Dispatch = {
    ...output,
    entryPoint: 'with_statistics',
    libraries: [shaders.moments, shaders.winogradStatistics],
    constants: { ...output.constants, Element: 'f32', SHARED_ROWS: sharedRows },
    parameters: [...(output.parameters ?? []).slice(0, -3), columnInvocations, units * unit.tiles, blocks],
    operands: [...output.operands, 'partials'],
    workgroups: [ceilDivide(channels, columnInvocations), ceilDivide(blocks, sharedRows ? 1 : tileLanes), 1],
  };
  return {
    blocks: { blocks, rowsPerBlock: units * unit.pixels },
    dispatches: [...dispatches.slice(0, -1), withPartials],
  };
}

/**
 * The error of a destination mixes all numbers of its tile: what rounding leaves of large ones stays where they cancel.
 * With every matrix and number replaced by its magnitude, the same three steps give the sum of magnitudes that a
 * destination's roundings are relative to; see docs/kernels/convolution/winograd.md.
 */
function errorBound(problem: WinogradProblem, tile: Tile, inputs: Values): Float64Array {
  const { batch, source, destination, affine, residual } = problem;
  const { A, B, G } = WINOGRAD_MATRICES[tile];
  const side = tile + 2;
  const weights = magnitudeOfWeights(problem, G, inputs.w);
  const error = new Float64Array(batch * destination.height * destination.width * destination.channels);
  const tilesY = ceilDivide(destination.height, tile);
  const tilesX = ceilDivide(destination.width, tile);
  const terms = source.channels + TRANSFORM_ROUNDINGS[tile];
  for (let t = 0; t < batch * tilesY * tilesX; t++) {
    const image = Math.floor(t / (tilesY * tilesX));
    const firstY = (Math.floor(t / tilesX) % tilesY) * tile;
    const firstX = (t % tilesX) * tile;
    const tileMagnitudes = magnitudeOfTile(problem, B, inputs[problem.names.source], image, firstY, firstX);
    for (let o = 0; o < destination.channels; o++) {
      // Of each frequency, the sum over channels.
      const products = new Float64Array(side * side);
      for (let f = 0; f < side * side; f++)
        for (let k = 0; k < source.channels; k++)
          products[f] +=
            tileMagnitudes[f * source.channels + k] * weights[(f * source.channels + k) * destination.channels + o];
      for (let i = 0; i < tile && firstY + i < destination.height; i++)
        for (let j = 0; j < tile && firstX + j < destination.width; j++) {
          let magnitude = 0;
          for (let a = 0; a < side; a++)
            for (let b = 0; b < side; b++) magnitude += Math.abs(A[a][i] * A[b][j]) * products[a * side + b];
          const place =
            ((image * destination.height + firstY + i) * destination.width + firstX + j) * destination.channels + o;
          error[place] = sumError(terms, magnitude);
          if (affine) {
            const scaled = Math.abs(inputs.scale[o]) * magnitude;
            const added = Math.abs(inputs.shift[o]) + (residual ? Math.abs(inputs.residual[place]) : 0);
            error[place] = error[place] * Math.abs(inputs.scale[o]) + EPSILON * 3 * (scaled + added);
          }
        }
    }
  }
  return error;
}

/** |G| |g| |G|^T, [side * side, source channels, destination channels]. */
function magnitudeOfWeights(
  { source, destination, dataGradient }: WinogradProblem,
  G: Matrix,
  w: Float64Array,
): Float64Array {
  const side = G.length;
  const pairs = source.channels * destination.channels;
  const result = new Float64Array(side * side * pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const k = Math.floor(pair / destination.channels);
    const o = pair % destination.channels;
    const taps = Array.from({ length: 9 }, (_, tap) =>
      Math.abs(dataGradient ? w[(8 - tap) * pairs + o * source.channels + k] : w[tap * pairs + pair]),
    );
    for (let a = 0; a < side; a++)
      for (let b = 0; b < side; b++)
        for (let tap = 0; tap < 9; tap++)
          result[(a * side + b) * pairs + pair] += Math.abs(G[a][Math.floor(tap / 3)] * G[b][tap % 3]) * taps[tap];
  }
  return result;
}

/** |B|^T |d| |B| of one tile, [side * side, source channels]. */
function magnitudeOfTile(
  { source, padding }: WinogradProblem,
  B: Matrix,
  values: Float64Array,
  image: number,
  firstY: number,
  firstX: number,
): Float64Array {
  const side = B.length;
  const result = new Float64Array(side * side * source.channels);
  for (let i = 0; i < side; i++)
    for (let j = 0; j < side; j++) {
      const y = firstY - padding[0] + i;
      const x = firstX - padding[1] + j;
      if (y < 0 || y >= source.height || x < 0 || x >= source.width) continue;
      const first = ((image * source.height + y) * source.width + x) * source.channels;
      for (let a = 0; a < side; a++)
        for (let b = 0; b < side; b++) {
          const factor = Math.abs(B[i][a] * B[j][b]);
          if (factor === 0) continue;
          for (let k = 0; k < source.channels; k++)
            result[(a * side + b) * source.channels + k] += factor * Math.abs(values[first + k]);
        }
    }
  return result;
}
