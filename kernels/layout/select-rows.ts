import { widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel, type Values } from '../kernel.ts';

export interface SelectRowsProblem {
  /** Rows of the table. */
  readonly tableRows: number;
  /** Rows selected. */
  readonly count: number;
  /** Elements of a row. */
  readonly width: number;
}

export const SELECT_ROWS_CASES: readonly SelectRowsProblem[] = [
  { tableRows: 1, count: 1, width: 1 },
  { tableRows: 5, count: 13, width: 7 },
  { tableRows: 97, count: 31, width: 64 },
  { tableRows: 100, count: 64, width: 1000 },
];

const WORKGROUP_SIZE = 64;

/**
 * rows [count, width] = the rows of table [tableRows, width] that indices [count] name; NaN for an index of tableRows
 * or more.
 */
export const selectRows: Kernel<SelectRowsProblem> = {
  name: 'select_rows',
  calls: ({ tableRows, count, width }) => {
    const { Element, elements } = widestElement(width);
    return [
      {
        variant: Element,
        operands: {
          table: { role: 'input', type: 'f32', length: tableRows * width },
          indices: { role: 'input', type: 'u32', length: count },
          rows: { role: 'output', type: 'f32', length: count * width },
        },
        dispatches: [
          sliceable(count, { indices: 1, rows: width }, (selected) => ({
            shader: shaders.selectRows,
            constants: { Element, WORKGROUP_SIZE },
            parameters: [selected, elements, tableRows],
            operands: ['table', 'indices', 'rows'],
            workgroups: foldGrid(ceilDivide(selected * elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: ({ count, width }, { table, indices }) => {
    const rows = new Float64Array(count * width);
    indices.forEach((index, i) => rows.set(table.subarray(index * width, (index + 1) * width), i * width));
    return { rows: exact(rows) };
  },
  cost: ({ count, width }) => ({ flop: 0, bytes: 8 * count * width + 4 * count }),
  cases: SELECT_ROWS_CASES,
  sampleInputs: ({ tableRows, count, width }, uniform): Values => ({
    table: Float64Array.from({ length: tableRows * width }, uniform),
    indices: sampleIndices(count, tableRows, uniform),
  }),
};

/** Indices below `end`; with more of them than rows, some row comes twice. */
export const sampleIndices = (count: number, end: number, uniform: () => number): Float64Array =>
  Float64Array.from({ length: count }, () => Math.floor(((uniform() + 1) / 2) * end));
