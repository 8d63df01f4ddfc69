import { LimitError } from '../gpu/errors.ts';

/** Something that needs memory from step `first` to step `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface ArenaLayout {
  /** One for each lifetime, in order. Nothing straddles a multiple of the chunk size. */
  readonly offsets: readonly number[];
  /** Bytes from the arena's start to its last used byte: the peak that the program will hold. */
  readonly bytes: number;
  /** The most that is alive at one step: no layout can be smaller. */
  readonly liveBytes: number;
}

/** The strictest alignment of a storage binding that WebGPU allows an adapter to ask for. */
const ALIGNMENT = 256;

/**
 * Gives each lifetime a place so that no two that overlap in time overlap in memory: the largest first, each at the
 * lowest free offset. Everything is known before a step runs, so this is a plan, not an allocator.
 * @param chunkBytes the largest buffer of the adapter; an arena above it becomes several buffers
 */
export function layOutArena(lifetimes: readonly Lifetime[], chunkBytes: number): ArenaLayout {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const order = lifetimes
    .map((_, index) => index)
    .sort((a, b) => lifetimes[b].bytes - lifetimes[a].bytes || lifetimes[a].first - lifetimes[b].first);
  // Kept sorted by offset, so that one walk finds the lowest gap.
  const placed: { readonly offset: number; readonly end: number; readonly first: number; readonly last: number }[] = [];
  let bytes = 0;
  for (const index of order) {
    const { first, last } = lifetimes[index];
    const size = Math.ceil(lifetimes[index].bytes / ALIGNMENT) * ALIGNMENT;
    if (size > chunkBytes)
      throw new LimitError(
        `a tensor of ${size} bytes is larger than the largest buffer of this adapter, ${chunkBytes} bytes. Use a smaller batch or resolution.`,
      );
    let offset = 0;
    for (const other of placed) {
      if (other.last < first || other.first > last) continue;
      if (other.offset >= fit(offset, size, chunkBytes) + size) break;
      offset = Math.max(offset, other.end);
    }
    offset = fit(offset, size, chunkBytes);
    offsets[index] = offset;
    const place = { offset, end: offset + size, first, last };
    const after = placed.findIndex((other) => other.offset > offset);
    placed.splice(after < 0 ? placed.length : after, 0, place);
    bytes = Math.max(bytes, place.end);
  }
  return { offsets, bytes, liveBytes: mostAlive(lifetimes) };
}

/** The first offset from `offset` on at which `size` bytes lie within one chunk. */
function fit(offset: number, size: number, chunkBytes: number): number {
  const chunk = Math.floor(offset / chunkBytes);
  return offset + size > (chunk + 1) * chunkBytes ? (chunk + 1) * chunkBytes : offset;
}

function mostAlive(lifetimes: readonly Lifetime[]): number {
  const changes = new Map<number, number>();
  for (const { bytes, first, last } of lifetimes) {
    changes.set(first, (changes.get(first) ?? 0) + bytes);
    changes.set(last + 1, (changes.get(last + 1) ?? 0) - bytes);
  }
  let alive = 0;
  let most = 0;
  for (const [, change] of [...changes].sort(([a], [b]) => a - b)) {
    alive += change;
    most = Math.max(most, alive);
  }
  return most;
}
