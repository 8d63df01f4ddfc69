/** GPUs that the cost model predicts for, by their data sheets. */
import { ASSUMED_COMPUTE_UNITS } from './contract/tiles.ts';

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
   * What a compute unit has: 32-bit registers, bytes of workgroup memory, and invocations and workgroups it holds at once.
   */
  readonly registers: number;
  readonly workgroupMemory: number;
  readonly residentInvocations: number;
  readonly residentWorkgroups: number;
  readonly assumptions: string;
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

/** Devices of docs/lab/predictions.md. */
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
