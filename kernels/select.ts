/**
 * The order of variants, by adapter. A kernel makes its variants; what comes first of them on which adapter, before a
 * tuner has measured anything, is decided here.
 *
 * There are two kinds of adapters. A GPU has workgroup memory and many invocations in flight. A processor that calculates
 * in software has vectors for subgroups, registers, and neither cheap barriers nor cheap workgroup memory.
 */
import type { AdapterTraits } from './contract/adapter-traits.ts';
import { predict } from './cost-model.ts';
import { ASSUMED_GPU } from './gpus.ts';
import type { Tile } from './contract/tiles.ts';
import type { Cost, KernelCall } from './kernel.ts';

/** Variants that run anywhere, made for a GPU or for a processor in software: those of the adapter's own kind first. */
export const ownKindFirst = <Variant>(
  { kind }: Pick<AdapterTraits, 'kind'>,
  { gpu, cpu }: { readonly gpu: readonly Variant[]; readonly cpu: readonly Variant[] },
): Variant[] => (kind === 'gpu' ? [...gpu, ...cpu] : [...cpu, ...gpu]);

/** Variants with the shortest predicted time first: an order to begin with until something is measured. */
export function fastestFirst(calls: readonly KernelCall[], cost: Cost): readonly KernelCall[] {
  const time = new Map(calls.map((call) => [call, predict(call, cost, ASSUMED_GPU).time]));
  return [...calls].sort((a, b) => (time.get(a) ?? 0) - (time.get(b) ?? 0));
}

/**
 * The tiles of a product to offer. A processor that calculates in software is fast with none, and takes seconds
 * to compile a large one.
 */
export const tilesFor = (tiles: readonly Tile[], { kind }: AdapterTraits): readonly Tile[] =>
  kind === 'cpu' ? tiles.filter(({ rows }) => rows <= 64) : tiles;

/**
 * Matrix products by the adapter's invocations and by its matrix units: by predicted time, but a processor that offers
 * units calculates what they do as well, so that they come last there.
 */
export const productsInOrder = (
  byInvocations: readonly KernelCall[],
  byUnits: readonly KernelCall[],
  cost: Cost,
  { kind }: AdapterTraits,
): readonly KernelCall[] =>
  kind === 'gpu'
    ? fastestFirst([...byUnits, ...byInvocations], cost)
    : [...fastestFirst(byInvocations, cost), ...byUnits];

/**
 * Products with 16-bit operands. A processor in software prefers its own f32 variant between casts; a GPU has no use for
 * it.
 * @param upcast makes that variant, which is none of a GPU's code
 */
export const halvesInOrder = (
  products: readonly KernelCall[],
  upcast: () => KernelCall,
  { kind }: AdapterTraits,
): readonly KernelCall[] => (kind === 'gpu' || products.length === 0 ? products : [upcast(), ...products]);

/**
 * The schemes of Winograd's product: by tiles, and by weight-stationary blocks. A GPU prefers its workgroup memory; a
 * processor in software prefers its stack, and one tile is enough for it.
 */
export const schemesInOrder = <Scheme>(
  { kind }: AdapterTraits,
  tiled: readonly Scheme[],
  weightStationary: readonly Scheme[],
): readonly Scheme[] => (kind === 'gpu' ? tiled : [...weightStationary, ...tiled.slice(-1)]);

/** An algorithm of a problem. */
export interface Algorithm {
  /** Its variants, the one to prefer first; those of a GPU in any order if `isUnordered`. */
  readonly calls: readonly KernelCall[];
  readonly isUnordered?: boolean;
  /** Its estimated time on a processor in software, in a unit that all algorithms of the problem share. */
  readonly softwareTime: number;
}

/**
 * The best variant of each algorithm, fastest algorithm first, before the rest of any: whoever times but a few variants
 * then times different algorithms. What is fastest on a GPU says the cost model, which counts the passes before and
 * after a product as traffic of the memory.
 */
export function algorithmsInOrder(
  algorithms: readonly Algorithm[],
  cost: Cost,
  { kind }: AdapterTraits,
): readonly KernelCall[] {
  const timed = algorithms.map(({ calls, isUnordered, softwareTime }) =>
    kind === 'cpu'
      ? { calls, time: softwareTime }
      : {
          calls: isUnordered === true ? fastestFirst(calls, cost) : calls,
          time: Math.min(...calls.map((call) => predict(call, cost, ASSUMED_GPU).time)),
        },
  );
  const sorted = timed.sort((a, b) => a.time - b.time);
  return [...sorted.flatMap(({ calls }) => calls.slice(0, 1)), ...sorted.flatMap(({ calls }) => calls.slice(1))];
}
