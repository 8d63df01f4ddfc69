import { invocations, tileName, type TiledProduct } from './contract/tiles.ts';
import type { GpuDescription } from './gpus.ts';
import type { Cost, KernelCall } from './kernel.ts';

/** What the model says of one kernel call. Times in microseconds. */
export interface Prediction {
  readonly time: number;
  /** What bounds it. */
  readonly bound: 'arithmetic' | 'latency' | 'cache' | 'memory' | 'launch';
  readonly flop: number;
  readonly bytes: number;
  readonly workgroups: number;
  /** For tiled calls: the tile, 32-bit registers an invocation, bytes of workgroup memory, workgroups that a compute unit
   * holds at once, and rounds in which the compute units take them all. */
  readonly tiled?: {
    readonly tile: string;
    readonly splitK: number;
    readonly registers: number;
    readonly workgroupBytes: number;
    readonly resident: number;
    readonly rounds: number;
  };
}

// Clocks of a lane, fitted to 462 timings of tiles on an NVIDIA H200 (all convolutions of ResNet50 at batch 32,
// 224x224; Vulkan driver 580.159, 26 November 2026): the model is then 14 % off (root mean square), and the tiles that
// it likes best take 8 % longer than the fastest ones.

/** A multiply-add. The data sheet's one clock needs operands that one instruction leaves to the next: chains of multiply-adds reach it, and half of it
 * where each has factors of its own. */
const MULTIPLY_ADD_CLOCKS = 1.65;
/** A vector read of workgroup memory. */
const READ_CLOCKS = 5;
/** An operation of finding or moving a staged vector. */
const STAGING_CLOCKS = 4;
/** Other clocks of an iteration: the loop, barriers. */
const ITERATION_OVERHEAD = 24;
/** From a load of global memory to its value, through the shared cache, and the barriers that wait for it. */
const LOAD_CLOCKS = 1300;
/**
 * Microseconds from the end of a dispatch to the first instruction of the next one that depends on it; 2.5 were
 * measured where a dispatch does nothing.
 */
const LAUNCH_MICROSECONDS = 4;
/** Registers besides sums, fragments and staged vectors: addresses, bounds, counters. */
const OTHER_REGISTERS = 24;
/** Bytes of workgroup memory that a compute unit reads or writes in a clock: 32 lanes of four. The usual design. */
const WORKGROUP_BYTES_A_CLOCK = 128;
/** Share of the memory's data-sheet bandwidth that a kernel reaches. */
const MEMORY_EFFICIENCY = 0.85;

/** float32 operations a second, multiply-adds counting two, in TFLOP/s. */
export const peakTeraflops = ({ computeUnits, lanes, gigahertz }: GpuDescription): number =>
  (2 * computeUnits * lanes * gigahertz) / 1000;

/** The same of the matrix units, for factors of this type; where there are none, nothing is faster than the lanes. */
export const peakMatrixTeraflops = (gpu: GpuDescription, component: 'f16' | 'f32'): number =>
  gpu.matrixTeraflops[component] ?? peakTeraflops(gpu);

/**
 * 32-bit registers an invocation needs: its sums, a block of four depths of each factor, and what is on its way from
 * memory.
 */
export function registersOf({ tile }: TiledProduct): number {
  const staged = Math.ceil((tile.depth * (tile.rows + tile.columns)) / invocations(tile));
  return tile.rowsEach * tile.columnsEach + 4 * tile.columnsEach + 4 + staged + OTHER_REGISTERS;
}

/**
 * Workgroups that a compute unit holds at once: what its places, registers and workgroup memory allow, and one in any
 * case.
 */
export function residentAtOnce(
  group: { readonly invocations: number; readonly registers: number; readonly workgroupBytes: number },
  gpu: GpuDescription,
): number {
  const most = Math.min(
    gpu.residentWorkgroups,
    Math.floor(gpu.residentInvocations / group.invocations),
    Math.floor(gpu.registers / (group.registers * group.invocations)),
    group.workgroupBytes > 0 ? Math.floor(gpu.workgroupMemory / group.workgroupBytes) : Infinity,
  );
  return Math.max(1, most);
}

/** Workgroups of a product that a compute unit holds at once. */
export const residentWorkgroups = (product: TiledProduct, gpu: GpuDescription): number =>
  residentAtOnce(
    { invocations: invocations(product.tile), registers: registersOf(product), workgroupBytes: product.workgroupBytes },
    gpu,
  );

/**
 * Clocks of an invocation for an iteration, which takes one K-tile. A multiply-add has an instruction of its own, and so has each vector read of
 * workgroup memory (rowsEach + columnsEach for four depths), each staged vector's load and store, and its addresses.
 */
function clocksOfInvocation({ tile, stagingOperations }: TiledProduct): number {
  const staged = (tile.depth * (tile.rows + tile.columns)) / 4 / invocations(tile);
  const reads = (tile.depth / 4) * (tile.rowsEach + tile.columnsEach);
  return (
    MULTIPLY_ADD_CLOCKS * tile.depth * tile.rowsEach * tile.columnsEach +
    READ_CLOCKS * reads +
    STAGING_CLOCKS * (2 * staged + stagingOperations) +
    ITERATION_OVERHEAD
  );
}

/** Clocks of a compute unit for one iteration of a workgroup. */
function clocksOfIteration(product: TiledProduct, gpu: GpuDescription): number {
  const { tile, matrix, stagingOperations, elementBytes } = product;
  if (matrix === undefined) return (invocations(tile) * clocksOfInvocation(product)) / gpu.lanes;
  // The units multiply what the subgroups load for them from workgroup memory, each its block's rows and columns.
  const multiplying =
    (2e3 * tile.rows * tile.columns * tile.depth * gpu.gigahertz * gpu.computeUnits) /
    (1e6 * peakMatrixTeraflops(gpu, matrix.component));
  const blocks = (tile.rows / matrix.rows) * (tile.columns / matrix.columns);
  const loading = (blocks * (matrix.rows + matrix.columns) * tile.depth * elementBytes) / WORKGROUP_BYTES_A_CLOCK;
  const staged = (tile.depth * (tile.rows + tile.columns)) / 4 / invocations(tile);
  const staging =
    (invocations(tile) * (STAGING_CLOCKS * (2 * staged + stagingOperations) + ITERATION_OVERHEAD)) / gpu.lanes;
  return Math.max(multiplying, loading) + staging;
}

/**
 * Clocks of a compute unit for what follows a workgroup's last iteration: sums of matrix units pass through workgroup
 * memory.
 */
function clocksOfFinish({ tile, matrix }: TiledProduct): number {
  return matrix === undefined ? 0 : (2 * 4 * tile.rows * tile.columns) / WORKGROUP_BYTES_A_CLOCK;
}

/**
 * Predicts a kernel call. Tiled products are counted: instructions, the latency of a K-tile's loads where too few
 * invocations hide it, rounds of workgroups over compute units, traffic of the shared cache; before and after it, the
 * memory's traffic of passes that lay factors out for it or make the result of what it wrote. Everything else is a
 * roofline: operands once through the memory, operations at the peak.
 */
export function predict(call: KernelCall, cost: Cost, gpu: GpuDescription): Prediction {
  const workgroups = call.dispatches.reduce((sum, { workgroups: [x, y, z] }) => sum + x * y * z, 0);
  const launch = LAUNCH_MICROSECONDS * call.dispatches.length;
  const { flop } = cost;
  const { product } = call;
  if (product === undefined) {
    const scratch = Object.values(call.operands).reduce(
      (sum, { role, length }) => sum + (role === 'scratch' ? 2 * 4 * length : 0),
      0,
    );
    const bytes = cost.bytes + scratch;
    const memory = bytes / (1e3 * gpu.memoryBandwidth * MEMORY_EFFICIENCY);
    const arithmetic = flop / (1e6 * peakTeraflops(gpu));
    const work = Math.max(memory, arithmetic);
    const bound = work < launch ? 'launch' : memory >= arithmetic ? 'memory' : 'arithmetic';
    return { time: work + launch, bound, flop, bytes, workgroups };
  }

  const {
    tile,
    tiles,
    splitK,
    kTiles,
    results,
    elementBytes,
    laidOut = { from: 0, to: 0, before: 0 },
    finished = { from: 0, to: 0 },
  } = product;
  const resident = residentWorkgroups(product, gpu);
  const groups = tiles * splitK;
  const issue = clocksOfIteration(product, gpu);
  // The unit alternates between `together` workgroups; one iteration of each lasts at least as long as its loads take.
  const clocksOfRound = (together: number): number =>
    together > 0 ? (kTiles + 1) * Math.max(together * issue, LOAD_CLOCKS) + together * clocksOfFinish(product) : 0;
  const slots = gpu.computeUnits * resident;
  const fullRounds = Math.floor(groups / slots);
  const rest = Math.ceil((groups - fullRounds * slots) / gpu.computeUnits);
  const clocks = fullRounds * clocksOfRound(resident) + clocksOfRound(rest);
  const arithmetic = clocks / (1e3 * gpu.gigahertz);
  const hidden = (fullRounds > 0 ? resident : rest) * issue >= LOAD_CLOCKS;

  const parts = splitK > 1 ? 2 * 4 * splitK * results : 0;
  const transfer = (bytes: number): number => bytes / (1e3 * gpu.memoryBandwidth * MEMORY_EFFICIENCY);
  const ownBytes = cost.bytes - laidOut.from + laidOut.to + finished.from - finished.to + parts;
  const memory = transfer(ownBytes);
  const otherBytes = laidOut.from + laidOut.to - (laidOut.before ?? 0) + finished.from + finished.to;
  const otherPasses = transfer(otherBytes);
  const cached = elementBytes * groups * kTiles * tile.depth * (tile.rows + tile.columns) + parts;
  const cache = cached / (1e3 * gpu.cacheBandwidth);
  const work = Math.max(arithmetic, memory, cache) + otherPasses;
  const longest = Math.max(arithmetic, memory, cache, otherPasses);
  const bound =
    work < launch
      ? 'launch'
      : longest === arithmetic
        ? hidden
          ? 'arithmetic'
          : 'latency'
        : longest === cache
          ? 'cache'
          : 'memory';
  return {
    time: work + launch,
    bound,
    flop,
    bytes: ownBytes + otherBytes,
    workgroups,
    tiled: {
      tile: tileName(tile),
      splitK,
      registers: registersOf(product),
      workgroupBytes: product.workgroupBytes,
      resident,
      rounds: groups / slots,
    },
  };
}
