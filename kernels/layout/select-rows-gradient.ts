import { widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { sumError, type Kernel, type Values } from '../kernel.ts';
import { SELECT_ROWS_CASES, sampleIndices, type SelectRowsProblem } from './select-rows.ts';

const WORKGROUP_SIZE = 64;

/**
 * dtable [tableRows, width]: each row is the sum of the rows of drows [count, width] whose index in indices [count] is
 * its own.
 */
export const selectRowsGradient: Kernel<SelectRowsProblem> = {
  name: 'select_rows_gradient',
  calls: ({ tableRows, count, width }) => {
    const { Element, elements } = widestElement(width);
    const shared = { shader: shaders.selectRowsGradient, constants: { Element, WORKGROUP_SIZE } };
    return [
      {
        variant: Element,
        operands: {
          indices: { role: 'input', type: 'u32', length: count },
          drows: { role: 'input', type: 'f32', length: count * width },
          dtable: { role: 'output', type: 'f32', length: tableRows * width },
          heads: { role: 'scratch', type: 'u32', length: tableRows },
          next: { role: 'scratch', type: 'u32', length: count },
        },
        dispatches: [
          sliceable(tableRows, { heads: 1 }, (rows) => ({
            ...shared,
            entryPoint: 'clear',
            parameters: [count, elements, rows],
            operands: ['heads'],
            workgroups: foldGrid(ceilDivide(rows, WORKGROUP_SIZE)),
          })),
          {
            ...shared,
            entryPoint: 'link',
            parameters: [count, elements, tableRows],
            operands: ['heads', 'next', 'indices'],
            workgroups: [1, 1, 1],
          },
          // A slice of the table finds its rows among all of drows.
          sliceable(tableRows, { heads: 1, dtable: width }, (rows) => ({
            ...shared,
            entryPoint: 'gather',
            parameters: [count, elements, rows],
            operands: ['heads', 'next', 'drows', 'dtable'],
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
    const error = magnitude.map((sum, i) =>
      selections[Math.floor(i / width)] > 1 ? sumError(selections[Math.floor(i / width)], sum) : 0,
    );
    return { dtable: { value, error } };
  },
  cost: ({ tableRows, count, width }) => ({
    flop: count * width,
    bytes: 4 * (tableRows + count) * width + 12 * (tableRows + count),
  }),
  cases: SELECT_ROWS_CASES,
  sampleInputs: ({ tableRows, count, width }, uniform): Values => ({
    indices: sampleIndices(count, tableRows, uniform),
    drows: Float64Array.from({ length: count * width }, uniform),
  }),
};
