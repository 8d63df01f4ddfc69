import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import * as shaders from '../src/gpu/generated/shaders.ts';
import { sumError, type Kernel, type Values } from './kernel.ts';
import { SELECT_ROWS_CASES, sampleIndices, type SelectRowsProblem } from './select_rows.ts';

const WORKGROUP_SIZE = 64;

/** dtable [tableRows, width]: each row is the sum of the rows of drows [count, width] whose index in indices [count] is its own. */
export const selectRowsGradient: Kernel<SelectRowsProblem> = {
  name: 'select_rows_gradient',
  calls: ({ tableRows, count, width }) => {
    const { Element, elements } = widestElement(width);
    return [
      {
        variant: Element,
        operands: {
          indices: { role: 'input', type: 'u32', length: count },
          drows: { role: 'input', type: 'f32', length: count * width },
          dtable: { role: 'output', type: 'f32', length: tableRows * width },
        },
        dispatches: [
          // A slice of the table looks for its rows among all of drows.
          sliceable(tableRows, { dtable: width }, (rows, firstRow) => ({
            shader: shaders.select_rows_gradient,
            constants: { Element, WORKGROUP_SIZE },
            parameters: [count, elements, rows, firstRow],
            operands: ['indices', 'drows', 'dtable'],
            workgroups: foldGrid(ceilDivide(rows * elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: ({ tableRows, width }, { indices, drows }) => {
    const value = new Float64Array(tableRows * width);
    const magnitude = new Float64Array(tableRows * width);
    const selections = new Float64Array(tableRows);
    indices.forEach((row, i) => {
      selections[row]++;
      for (let k = 0; k < width; k++) {
        value[row * width + k] += drows[i * width + k];
        magnitude[row * width + k] += Math.abs(drows[i * width + k]);
      }
    });
    // A copy is exact, and so is the 0 of a row that was not selected.
    const error = magnitude.map((sum, i) => (selections[Math.floor(i / width)] > 1 ? sumError(selections[Math.floor(i / width)], sum) : 0));
    return { dtable: { value, error } };
  },
  cost: ({ tableRows, count, width }) => ({ flop: count * width, bytes: 4 * (tableRows + count) * width + 4 * count }),
  cases: SELECT_ROWS_CASES,
  sampleInputs: ({ tableRows, count, width }, uniform): Values => ({
    indices: sampleIndices(count, tableRows, uniform),
    drows: Float64Array.from({ length: count * width }, uniform),
  }),
};
