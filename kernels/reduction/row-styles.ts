/** How kernels that reduce the rows of a matrix share out the rows among invocations. */
import type { AdapterTraits } from '../contract/adapter-traits.ts';
import { ownKindFirst } from '../select.ts';

interface RowStyle {
  readonly name: string;
  readonly workgroupSize: number;
  /** Invocations that share a row. */
  readonly invocations: number;
}

/**
 * A subgroup's worth of invocations reads a row together on a GPU; a CPU, which emulates workgroup memory, reduces it alone.
 */
const SHARED_ROWS: RowStyle = { name: '32 invocations a row', workgroupSize: 128, invocations: 32 };
const OWN_ROWS: RowStyle = { name: 'one invocation a row', workgroupSize: 8, invocations: 1 };

/** The ways to share rows among invocations, the one that suits the adapter first. */
export const rowStyles = (traits: AdapterTraits): readonly RowStyle[] =>
  ownKindFirst(traits, { gpu: [SHARED_ROWS], cpu: [OWN_ROWS] });
