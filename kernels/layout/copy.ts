import type { Dispatch, SliceWindow } from '../contract/dispatch.ts';
import { elementBytes, widestElement, type ElementType } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { BINDING_ALIGNMENT } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel, type Values } from '../kernel.ts';
import { canStore } from '../contract/storage-type.ts';

export interface CopyProblem {
  /** f32 if left out. Words are copied as words: a float's load may make zeros of small ones. */
  readonly type?: ElementType;
  readonly count: number;
  readonly sourceLength: number;
  readonly sourceOffset: number;
  readonly destinationLength: number;
  readonly destinationOffset: number;
}

export interface ConcatenateProblem {
  /** Elements of each part, in the order in which they follow each other. */
  readonly lengths: readonly number[];
}

const WORKGROUP_SIZE = 64;

function copying(
  count: number,
  source: string,
  sourceOffset: number,
  destination: string,
  destinationOffset: number,
  type: ElementType = 'f32',
): Dispatch {
  const components = [count, sourceOffset, destinationOffset].every((number) => number % 4 === 0) ? 4 : 1;
  const { Stored: Element, features } =
    type === 'u32' ? { Stored: components === 4 ? 'vec4u' : 'u32', features: [] } : widestElement(components, type);
  const units = count / components;
  const launch = (elements: number, from: number, to: number): Dispatch => ({
    shader: shaders.copy,
    features,
    constants: { Element, WORKGROUP_SIZE },
    parameters: [elements, from / components, to / components],
    operands: [source, destination],
    workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
  });
  // A window begins at an aligned place before what it is for; the rest of the way is the slice's offset.
  const excess = (start: number): number => start % (BINDING_ALIGNMENT / elementBytes(type));
  const windowAt = (start: number, length: number): SliceWindow => ({
    offset: start - excess(start),
    length: excess(start) + length,
  });
  return {
    ...launch(units, sourceOffset, destinationOffset),
    slices: {
      units,
      windows: (first, elements) => ({
        [source]: windowAt(sourceOffset + first * components, elements * components),
        [destination]: windowAt(destinationOffset + first * components, elements * components),
      }),
      launch: (elements, first) =>
        launch(elements, excess(sourceOffset + first * components), excess(destinationOffset + first * components)),
    },
  };
}

/**
 * Copies `count` elements of `source` to `destination`, each from an offset on. `destination` is an output if all of it
 * is written, and else updated in place.
 */
export const copy: Kernel<CopyProblem> = {
  name: 'copy',
  calls: (problem, traits) => {
    const { count, sourceLength, sourceOffset, destinationLength, destinationOffset, type = 'f32' } = problem;
    if (type !== 'u32' && !canStore({ type }, traits)) return [];
    if (sourceOffset + count > sourceLength || destinationOffset + count > destinationLength) {
      throw new RangeError(
        `copy: ${count} elements from ${sourceOffset} of ${sourceLength} to ${destinationOffset} of ${destinationLength} reach beyond an end`,
      );
    }
    return [
      {
        variant: 'element per invocation',
        operands: {
          source: { role: 'input', type, length: sourceLength },
          destination: { role: count === destinationLength ? 'output' : 'inout', type, length: destinationLength },
        },
        dispatches: [copying(count, 'source', sourceOffset, 'destination', destinationOffset, type)],
      },
    ];
  },
  reference: ({ count, sourceOffset, destinationLength, destinationOffset }, { source, destination }) => {
    const value = new Float64Array(destinationLength);
    if (destination !== undefined) value.set(destination);
    value.set(source.subarray(sourceOffset, sourceOffset + count), destinationOffset);
    return { destination: exact(value) };
  },
  // For words, all bits at all places: as floats some would be NaN, and most labels are numbers that a float's load may
  // flush to zero.
  sampleInputs: ({ sourceLength, destinationLength, count, type }, uniform): Values => {
    const value =
      type === 'u32' ? () => Math.floor(2 ** 31 * (uniform() + 1)) >>> Math.floor(16 * (uniform() + 1)) : uniform;
    const source = Float64Array.from({ length: sourceLength }, value);
    return count === destinationLength
      ? { source }
      : { source, destination: Float64Array.from({ length: destinationLength }, value) };
  },
  cost: ({ count, type = 'f32' }) => ({ flop: 0, bytes: 2 * elementBytes(type) * count }),
  cases: [
    { count: 1, sourceLength: 1, sourceOffset: 0, destinationLength: 1, destinationOffset: 0 },
    { count: 7, sourceLength: 20, sourceOffset: 3, destinationLength: 15, destinationOffset: 8 },
    { count: 64, sourceLength: 71, sourceOffset: 4, destinationLength: 131, destinationOffset: 64 },
    { count: 70000, sourceLength: 70003, sourceOffset: 3, destinationLength: 70000, destinationOffset: 0 },
    { count: 7, sourceLength: 20, sourceOffset: 3, destinationLength: 15, destinationOffset: 8, type: 'f16' },
    { count: 1020, sourceLength: 1020, sourceOffset: 0, destinationLength: 1020, destinationOffset: 0, type: 'f16' },
    { count: 7, sourceLength: 20, sourceOffset: 3, destinationLength: 15, destinationOffset: 8, type: 'u32' },
    { count: 1020, sourceLength: 1024, sourceOffset: 4, destinationLength: 1020, destinationOffset: 0, type: 'u32' },
  ],
};

/** concatenated = part0, part1, ... one behind the other; its gradient is a `copy` of each part's range. */
export const concatenate: Kernel<ConcatenateProblem> = {
  name: 'concatenate',
  calls: ({ lengths }) => {
    const parts = lengths.map((length, index) => ({ name: `part${index}`, length }));
    const total = lengths.reduce((sum, length) => sum + length, 0);
    let offset = 0;
    return [
      {
        variant: 'copies',
        operands: {
          ...Object.fromEntries(
            parts.map(({ name, length }) => [name, { role: 'input', type: 'f32', length } as const]),
          ),
          concatenated: { role: 'output', type: 'f32', length: total },
        },
        dispatches: parts.map(({ name, length }) => {
          const dispatch = copying(length, name, 0, 'concatenated', offset);
          offset += length;
          return dispatch;
        }),
      },
    ];
  },
  reference: ({ lengths }, inputs) => ({
    concatenated: exact(Float64Array.from(lengths.flatMap((_, index) => Array.from(inputs[`part${index}`])))),
  }),
  cost: ({ lengths }) => ({ flop: 0, bytes: 8 * lengths.reduce((sum, length) => sum + length, 0) }),
  cases: [{ lengths: [1] }, { lengths: [3, 8, 5] }, { lengths: [1024, 4, 2048] }],
};
