import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';

/** Commands of a GPU's first submission of a run, and how many times more each further one has. */
const FIRST_COMMANDS = 24;
const GROWTH = 8;

/**
 * The submissions of a run of commands [first, last), each as its first command and the one behind its last. A GPU
 * begins with a few of them while the host still records the others, which takes it 5 us each (an H200's, Dawn); a
 * processor that calculates in software would only be interrupted.
 */
export function submissionsOf(
  first: number,
  last: number,
  { kind }: Pick<AdapterTraits, 'kind'>,
): readonly (readonly [number, number])[] {
  if (kind === 'cpu') return [[first, last]];
  const parts: (readonly [number, number])[] = [];
  let start = first;
  for (let size = FIRST_COMMANDS; last - start > size; size *= GROWTH) {
    parts.push([start, start + size]);
    start += size;
  }
  return [...parts, [start, last]];
}
