import { concatenate as concatenateKernel, copy as copyKernel } from '../../../kernels/layout/copy.ts';
import { selectRows as selectRowsKernel } from '../../../kernels/layout/select-rows.ts';
import { selectRowsGradient as selectRowsGradientKernel } from '../../../kernels/layout/select-rows-gradient.ts';
import { sameShape } from '../attributes.ts';
import { apply, use, type GradientRule, type Op } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

const concatenateOp: Op<null> = {
  name: 'concatenate',
  infer(inputs) {
    if (inputs.length === 0) throw new ShapeError('concatenate: no tensors were given; one or more were expected');
    const rest = inputs[0].shape.slice(1);
    if (inputs.some(({ shape }) => !sameShape(shape.slice(1), rest)))
      throw new ShapeError(`concatenate: ${inputs.map(describe).join(', ')} differ behind the batch`);
    return [{ shape: [inputs.reduce((sum, { shape }) => sum + shape[0], 0), ...rest] }];
  },
  lower: ({ inputs, outputs: [concatenated] }) => [
    use(
      concatenateKernel,
      { lengths: inputs.map(({ length }) => length) },
      { ...Object.fromEntries(inputs.map((part, i) => [`part${i}`, part])), concatenated },
    ),
  ],
  gradient({ inputs }, [dy], needed) {
    let offset = 0;
    return inputs.map((part, index) => {
      offset += part.length;
      return dy && needed[index]
        ? apply(sliceOp, [dy], { shape: part.shape, offset: offset - part.length })[0]
        : undefined;
    });
  },
};

interface Slice {
  readonly shape: readonly number[];
  readonly offset: number;
}

const sliceOp: Op<Slice> = {
  name: 'slice',
  infer: (_, { shape }) => [{ shape }],
  lower: ({ attributes: { offset }, inputs: [source], outputs: [destination] }) => [
    use(
      copyKernel,
      {
        count: destination.length,
        sourceLength: source.length,
        sourceOffset: offset,
        destinationLength: destination.length,
        destinationOffset: 0,
      },
      { source, destination },
    ),
  ],
};

/** Tensors one after the other along the first dimension. */
export function concatenate(parts: readonly Tensor[]): Tensor {
  return apply(concatenateOp, parts, null)[0];
}

const selectOp: Op<null> = {
  name: 'selectRows',
  infer([table, indices]) {
    if (table.shape.length !== 2 || indices.type !== 'u32' || indices.shape.length !== 1)
      throw new ShapeError(
        `selectRows: ${describe(table)} by ${describe(indices)}; [rows, width] and u32 [count] were expected`,
      );
    return [{ shape: [indices.length, table.shape[1]] }];
  },
  lower: ({ inputs: [table, indices], outputs: [rows] }) => [
    use(selectRowsKernel, selectProblem(table, indices), { table, indices, rows }),
  ],
  gradient: 'selectRowsGradient',
  indices: ({ inputs: [table, indices] }) => [{ indices, end: table.shape[0] }],
};

export const selectRowsGradient: GradientRule<null> = ({ inputs: [table, indices] }, [drows], [needTable]) => [
  drows && needTable ? scatterRows(drows, indices, table) : undefined,
];

const scatterOp: Op<{ readonly table: Tensor }> = {
  name: 'scatterRows',
  infer: ([rows, indices], { table }) => {
    if (
      indices.type !== 'u32' ||
      indices.shape.length !== 1 ||
      table.shape.length !== 2 ||
      !sameShape(rows.shape, [indices.length, table.shape[1]])
    )
      throw new ShapeError(
        `scatterRows: ${describe(rows)} by ${describe(indices)} does not fit rows of ${describe(table)}`,
      );
    return [{ shape: table.shape }];
  },
  lower: ({ attributes: { table }, inputs: [drows, indices], outputs: [dtable] }) => [
    use(selectRowsGradientKernel, selectProblem(table, indices), { drows, indices, dtable }),
  ],
  indices: ({ attributes: { table }, inputs: [, indices] }) => [{ indices, end: table.shape[0] }],
  gradient: ({ inputs: [, indices] }, [dtable], [needRows]) => [
    dtable && needRows ? selectRows(dtable, indices) : undefined,
  ],
};

const selectProblem = (
  { shape: [tableRows, width] }: Tensor,
  { length: count }: Tensor,
): { tableRows: number; count: number; width: number } => ({ tableRows, count, width });

/**
 * The converse of `selectRows`, and its gradient: a table of zeros to which each row is added at its index, in the
 * order of rows.
 * @param rows [count, width]
 * @param indices u32 [count], each below the number of rows of the table; an IndexError otherwise, as in `selectRows`
 * @param table of the shape wanted, [rows, width]
 */
export function scatterRows(rows: Tensor, indices: Tensor, table: Tensor): Tensor {
  return apply(scatterOp, [rows, indices], { table })[0];
}

/**
 * Rows of a table by index.
 * @param table [rows, width]
 * @param indices u32 [count], each below the number of rows. Any other ends the run with an IndexError: at compilation
 * for a constant, at the call for an
 *   input, and with the results where the graph computes it; the row is NaN then, so that a gated update changes nothing.
 * @returns [count, width]
 */
export function selectRows(table: Tensor, indices: Tensor): Tensor {
  return apply(selectOp, [table, indices], null)[0];
}
