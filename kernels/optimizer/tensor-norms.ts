/** What LAMB and LARS share: tensors of a flat arena, cut into segments that a workgroup takes each, and their norms. */
import type { Dispatch } from '../contract/dispatch.ts';
import { foldGrid } from '../contract/grid.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, sumError, type Values } from '../kernel.ts';
import { ARENA_BLOCK, requireWholeBlocks, sampleFloats, sampleGroupSettings, type ArenaProblem } from './arena.ts';

/** Elements of a segment at most, a multiple of ARENA_BLOCK: 16 vectors for each invocation. */
const SEGMENT = 64 * ARENA_BLOCK;
export const SEGMENT_WORKGROUP_SIZE = 64;
/** Numbers of a segment's entry: first block, end block, group, adapted, first and end segment of its tensor. */
export const SEGMENT_FIELDS = 6;

/** A tensor in an arena. */
export interface ArenaTensor {
  /** Elements that it takes, padding included; a multiple of ARENA_BLOCK. */
  readonly length: number;
  /** Its parameter group. */
  readonly group: number;
  /** Whether the trust ratio applies to it; otherwise it is 1. */
  readonly adapted: boolean;
}

/** The `segments` operand for tensors that follow one another in an arena, u32 [segments * SEGMENT_FIELDS]. */
export function segmentTable(tensors: readonly ArenaTensor[]): Uint32Array<ArrayBuffer> {
  const table: number[] = [];
  let first = 0;
  let segments = 0;
  for (const { length, group, adapted } of tensors) {
    const count = Math.ceil(length / SEGMENT);
    for (let offset = 0; offset < length; offset += SEGMENT) {
      const end = first + Math.min(offset + SEGMENT, length);
      table.push((first + offset) / ARENA_BLOCK, end / ARENA_BLOCK, group, Number(adapted), segments, segments + count);
    }
    first += length;
    segments += count;
  }
  return Uint32Array.from(table);
}

/** Sizes of a problem whose tensors are cut into segments. */
export interface SegmentedProblem extends ArenaProblem {
  readonly segments: number;
}

/** A dispatch of one workgroup for each segment. */
export const overSegments = (
  { segments }: SegmentedProblem,
  dispatch: Pick<Dispatch, 'shader' | 'operands'> & { readonly libraries?: Dispatch['libraries'] },
): Dispatch => ({
  ...dispatch,
  libraries: [shaders.tensorNorms, ...(dispatch.libraries ?? [])],
  constants: { WORKGROUP_SIZE: SEGMENT_WORKGROUP_SIZE },
  parameters: [segments],
  workgroups: foldGrid(segments),
});

/** Tensors of ragged sizes that fill an arena of `count` elements, for cases and sample inputs. */
export function sampleTensors(count: number, groups: number): ArenaTensor[] {
  requireWholeBlocks('sampleTensors', count);
  const tensors: ArenaTensor[] = [];
  for (let rest = count, size = 1; rest > 0; size = size * 3 + 1) {
    const length = Math.min(rest, size * ARENA_BLOCK);
    tensors.push({ length, group: tensors.length % groups, adapted: tensors.length % 3 !== 2 });
    rest -= length;
  }
  return tensors;
}

/** A number with a bound on its error. */
export interface Bounded {
  readonly value: number;
  readonly error: number;
}

/** The tensors of a `segments` operand. */
export function tensorsIn(segments: Float64Array): (ArenaTensor & { readonly first: number })[] {
  const tensors: (ArenaTensor & { readonly first: number })[] = [];
  for (let entry = 0; entry < segments.length;) {
    const [firstBlock, , group, adapted, firstSegment, endSegment] = segments.subarray(entry, entry + SEGMENT_FIELDS);
    const last = SEGMENT_FIELDS * (endSegment - 1);
    const length = (segments[last + 1] - firstBlock) * ARENA_BLOCK;
    tensors.push({ first: firstBlock * ARENA_BLOCK, length, group, adapted: adapted === 1 });
    entry += SEGMENT_FIELDS * (endSegment - firstSegment);
  }
  return tensors;
}

/** The norm of values that have errors of their own, as float32 sums of squares give it. */
export function normOf(values: Float64Array, errors?: Float64Array): Bounded {
  const squares = values.reduce((sum, value) => sum + value * value, 0);
  const inherited = errors?.reduce((sum, error, index) => sum + (2 * Math.abs(values[index]) + error) * error, 0) ?? 0;
  const value = Math.sqrt(squares);
  const sum = sumError(values.length, squares) + inherited;
  // WGSL's sqrt: 4.5 units in the last place, 2 EPSILON each.
  return { value, error: value === 0 ? Math.sqrt(sum) : sum / (2 * value) + 9 * EPSILON * value };
}

/** Sample inputs that both optimizers take. */
export function sampleSegments({ count, groups }: SegmentedProblem, uniform: () => number): Values {
  return {
    parameters: sampleFloats(count, 1, uniform),
    gradients: sampleFloats(count, 0.1, uniform),
    segments: Float64Array.from(segmentTable(sampleTensors(count, groups))),
    groupSettings: sampleGroupSettings(groups),
    gate: Float64Array.of(0, 0xffffffff),
  };
}

/** Ragged problems: one tensor of a block; tensors of several segments, the last of which are not full; several groups. */
export const SEGMENTED_CASES: readonly SegmentedProblem[] = [
  sampleProblem(64, 1),
  sampleProblem(64 * 173, 3),
  sampleProblem(64 * 701, 2),
];

/** The problem whose tensors `sampleTensors` gives. */
export function sampleProblem(count: number, groups: number): SegmentedProblem {
  return { count, groups, segments: segmentTable(sampleTensors(count, groups)).length / SEGMENT_FIELDS };
}
