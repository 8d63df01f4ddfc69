import type { AdapterTraits } from './adapter-traits.ts';

/**
 * How a matrix product is cut for a GPU: a workgroup computes `rows` x `columns` results, an invocation `rowsEach` x
 * `columnsEach` of them in registers, and the reduction advances by `depth` through tiles of workgroup memory.
 */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly rowsEach: number;
  readonly columnsEach: number;
}

/** A matrix product [rows, reduction] x [reduction, columns] that is done by tiles: what the cost model counts. */
export interface TiledProduct {
  readonly tile: Tile;
  /** Workgroups of one part of the reduction. */
  readonly tiles: number;
  /** Parts that the reduction is split into, each done by workgroups of its own. */
  readonly splitK: number;
  /** K-tiles that each workgroup takes, the phases of a data gradient averaged. */
  readonly kTiles: number;
  readonly workgroupBytes: number;
  /** Integer operations that an invocation spends on finding and staging the vectors of one K-tile. */
  readonly stagingOperations: number;
  /** Numbers of the result: what each part writes, and the second pass adds. */
  readonly results: number;
  /** Bytes of a number that is loaded; parts have four. */
  readonly elementBytes: number;
  /** Where passes before the product lay factors out anew: the bytes that they read, those that they write for the product to read in their
   * place, and how many of both were moved before, once for all runs. */
  readonly laidOut?: { readonly from: number; readonly to: number; readonly before?: number };
  /**
   * Where a pass after the product makes the result: the bytes that the product writes for it to read, and those that
   * it writes in their place.
   */
  readonly finished?: { readonly from: number; readonly to: number };
  /** Where matrix units multiply: what a subgroup computes of the tile. */
  readonly matrix?: MatrixBlock;
}

/** The rows and columns of a subgroup, which loads both factors' part of it from workgroup memory. */
export interface MatrixBlock {
  readonly component: 'f16' | 'f32';
  readonly rows: number;
  readonly columns: number;
}

/** Matrix units have no block of their own for each invocation. */
export const tileName = ({ rows, columns, depth, rowsEach, columnsEach }: Tile): string =>
  `${rows}x${columns}x${depth}${columnsEach > 1 ? ` by ${rowsEach}x${columnsEach}` : ''}`;

export const invocations = ({ rows, columns, rowsEach, columnsEach }: Tile): number =>
  (rows / rowsEach) * (columns / columnsEach);

/** Constants of a shader that is cut by tiles. */
export const tileConstants = (tile: Tile): Record<string, number> => ({
  TILE_ROWS: tile.rows,
  TILE_COLUMNS: tile.columns,
  DEPTH: tile.depth,
  ROWS: tile.rowsEach,
  COLUMNS: tile.columnsEach,
});

export const fits = (
  { tile, workgroupBytes }: Pick<TiledProduct, 'tile' | 'workgroupBytes'>,
  traits: AdapterTraits,
): boolean => invocations(tile) <= traits.maxWorkgroupInvocations && workgroupBytes <= traits.maxWorkgroupStorageBytes;

/**
 * Compute units that a choice of tiles should keep busy: WebGPU does not tell how many a GPU has; large ones have 64 to
 * 132.
 */
export const ASSUMED_COMPUTE_UNITS = 96;

/**
 * Parts to split a reduction of `kTiles` into, so that at least `wanted` workgroups run, each with `fewestKTiles` or
 * more. A power of two, so that problems of similar sizes are cut alike.
 */
export function chooseSplitK(tiles: number, kTiles: number, wanted: number, fewestKTiles: number): number {
  let splitK = 1;
  while (tiles * splitK < wanted && kTiles / (2 * splitK) >= fewestKTiles) splitK *= 2;
  return splitK;
}
