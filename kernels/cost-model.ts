import { ASSUMED_COMPUTE_UNITS, invocations, tileName, type TiledProduct } from './contract/tiles.ts';
import type { Cost, KernelCall } from './kernel.ts';

/** A GPU by the figures of its data sheet; where the vendor gives none, `assumptions` says whose estimate it is. */
export interface GpuDescription {
  readonly name: string;
  /** Streaming multiprocessors, GPU cores, Xe cores. */
  readonly computeUnits: number;
  /** float32 multiply-adds a compute unit issues in a clock: its lanes. */
  readonly lanes: number;
  readonly gigahertz: number;
  /**
   * TFLOP/s of the matrix units as a subgroup's instructions reach them, by the type of the factors; sums are float32.
   */
  readonly matrixTeraflops: Readonly<Partial<Record<'f16' | 'f32', number>>>;
  /** GB/s of the memory, and of the cache that all units share. */
  readonly memoryBandwidth: number;
  readonly cacheBandwidth: number;
  /**
   * Of a compute unit: 32-bit registers, bytes of workgroup memory, and invocations and workgroups it holds at once.
   */
  readonly registers: number;
  readonly workgroupMemory: number;
  readonly residentInvocations: number;
  readonly residentWorkgroups: number;
  readonly assumptions: string;
}

/** What the model says of one kernel call. Times in microseconds. */
export interface Prediction {
  readonly time: number;
  /** What bounds it. */
  readonly bound: 'arithmetic' | 'latency' | 'cache' | 'memory' | 'launch';
  readonly flop: number;
  readonly bytes: number;
  readonly workgroups: number;
  /** Of tiled calls: the tile, 32-bit registers an invocation, bytes of workgroup memory, workgroups that a compute unit
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
/** Of a step besides: the loop, barriers. */
const STEP_OVERHEAD = 24;
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
 * Clocks of an invocation for a step. A multiply-add has an instruction of its own, and so has each vector read of
 * workgroup memory (rowsEach + columnsEach for four depths), each staged vector's load and store, and its addresses.
 */
function clocksOfInvocation({ tile, stagingOperations }: TiledProduct): number {
  const staged = (tile.depth * (tile.rows + tile.columns)) / 4 / invocations(tile);
  const reads = (tile.depth / 4) * (tile.rowsEach + tile.columnsEach);
  return (
    MULTIPLY_ADD_CLOCKS * tile.depth * tile.rowsEach * tile.columnsEach +
    READ_CLOCKS * reads +
    STAGING_CLOCKS * (2 * staged + stagingOperations) +
    STEP_OVERHEAD
  );
}

/** Clocks of a compute unit for one step of a workgroup. */
function clocksOfStep(product: TiledProduct, gpu: GpuDescription): number {
  const { tile, matrix, stagingOperations, elementBytes } = product;
  if (matrix === undefined) return (invocations(tile) * clocksOfInvocation(product)) / gpu.lanes;
  // The units multiply what the subgroups load for them from workgroup memory, each its block's rows and columns.
  const multiplying =
    (2e3 * tile.rows * tile.columns * tile.depth * gpu.gigahertz * gpu.computeUnits) /
    (1e6 * peakMatrixTeraflops(gpu, matrix.component));
  const blocks = (tile.rows / matrix.rows) * (tile.columns / matrix.columns);
  const loading = (blocks * (matrix.rows + matrix.columns) * tile.depth * elementBytes) / WORKGROUP_BYTES_A_CLOCK;
  const staged = (tile.depth * (tile.rows + tile.columns)) / 4 / invocations(tile);
  const staging = (invocations(tile) * (STAGING_CLOCKS * (2 * staged + stagingOperations) + STEP_OVERHEAD)) / gpu.lanes;
  return Math.max(multiplying, loading) + staging;
}

/**
 * Clocks of a compute unit for what follows a workgroup's last step: sums of matrix units pass through workgroup
 * memory.
 */
function clocksOfFinish({ tile, matrix }: TiledProduct): number {
  return matrix === undefined ? 0 : (2 * 4 * tile.rows * tile.columns) / WORKGROUP_BYTES_A_CLOCK;
}

/**
 * Predicts a kernel call. Tiled products are counted: instructions, the latency of a step's loads where too few
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
    steps,
    results,
    elementBytes,
    laidOut = { from: 0, to: 0, before: 0 },
    finished = { from: 0, to: 0 },
  } = product;
  const resident = residentWorkgroups(product, gpu);
  const groups = tiles * splitK;
  const issue = clocksOfStep(product, gpu);
  // The unit works on `together` workgroups in turn; one step of each lasts at least as long as its loads take.
  const clocksOfRound = (together: number): number =>
    together > 0 ? (steps + 1) * Math.max(together * issue, LOAD_CLOCKS) + together * clocksOfFinish(product) : 0;
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
  const cached = elementBytes * groups * steps * tile.depth * (tile.rows + tile.columns) + parts;
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

/** Variants with the shortest predicted time first: an order to begin with until something is measured. */
export function fastestFirst(calls: readonly KernelCall[], cost: Cost): readonly KernelCall[] {
  const time = new Map(calls.map((call) => [call, predict(call, cost, ASSUMED_GPU).time]));
  return [...calls].sort((a, b) => (time.get(a) ?? 0) - (time.get(b) ?? 0));
}

/**
 * The GPU that variants are ordered for where nothing is known of the real one: of the middle, so that neither end is
 * far.
 */
export const ASSUMED_GPU: GpuDescription = {
  name: 'assumed',
  computeUnits: ASSUMED_COMPUTE_UNITS,
  lanes: 128,
  gigahertz: 1.7,
  matrixTeraflops: { f16: 200, f32: 42 },
  memoryBandwidth: 900,
  cacheBandwidth: 3000,
  registers: 65536,
  workgroupMemory: 98304,
  residentInvocations: 1536,
  residentWorkgroups: 24,
  assumptions: 'no device: between the largest and an integrated GPU',
};

/** Devices of docs/kernels/predictions.md. */
export const GPUS: readonly GpuDescription[] = [
  {
    name: 'NVIDIA H200 SXM',
    computeUnits: 132,
    lanes: 128,
    gigahertz: 1.98,
    matrixTeraflops: { f16: 613 },
    memoryBandwidth: 4800,
    cacheBandwidth: 5500,
    registers: 65536,
    workgroupMemory: 233472,
    residentInvocations: 2048,
    residentWorkgroups: 32,
    assumptions:
      "data sheet: 67 TFLOP/s float32, 4.8 TB/s; CUDA tables: 132 units, 64 K registers, 228 KiB, 2048 invocations; bandwidth of the L2 cache: estimated; matrix units: data sheet 989 TFLOP/s of 16 bits without sparsity, of which a subgroup's mma reaches some 62 % (W. Luo et al., arXiv 2402.13499, an H100); the rest takes wgmma, which WGSL has not",
  },
  {
    name: 'NVIDIA RTX 5070',
    computeUnits: 48,
    lanes: 128,
    gigahertz: 2.51,
    matrixTeraflops: { f16: 61.7 },
    memoryBandwidth: 672,
    cacheBandwidth: 2500,
    registers: 65536,
    workgroupMemory: 102400,
    residentInvocations: 1536,
    residentWorkgroups: 24,
    assumptions:
      'data sheet: 6144 lanes at 2.51 GHz (30.8 TFLOP/s), 672 GB/s; CUDA tables: 64 K registers, 100 KiB, 1536 invocations; bandwidth of the L2 cache: estimated; matrix units: twice the lanes for 16 bits with float32 sums, without sparsity, as the vendor states for this family (not looked up for this model)',
  },
  {
    name: 'Apple M4 Max, 40 cores',
    computeUnits: 40,
    lanes: 128,
    gigahertz: 1.58,
    matrixTeraflops: { f32: 16.2 },
    memoryBandwidth: 546,
    cacheBandwidth: 1200,
    registers: 53248,
    workgroupMemory: 65536,
    residentInvocations: 1024,
    residentWorkgroups: 16,
    assumptions:
      "vendor: 40 cores, 546 GB/s; clock, lanes, 208 KiB of registers, workgroup memory and cache: estimates from others' measurements of this family; matrix units: none before the M5, simdgroup matrices run on the lanes at their rate",
  },
  {
    name: 'Intel Arc 140V (integrated)',
    computeUnits: 8,
    lanes: 128,
    gigahertz: 2.05,
    matrixTeraflops: { f16: 33.5 },
    memoryBandwidth: 136,
    cacheBandwidth: 500,
    registers: 131072,
    workgroupMemory: 131072,
    residentInvocations: 1024,
    residentWorkgroups: 32,
    assumptions:
      'vendor: 8 Xe cores of 128 lanes, 2.05 GHz, 136.5 GB/s shared with the processor; registers, workgroup memory and cache: estimates; matrix units: vendor, 67 TOPS of 8 bits, half of that for 16',
  },
];
