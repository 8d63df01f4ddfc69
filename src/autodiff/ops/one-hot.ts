import { oneHot as kernel } from '../../../kernels/layout/one-hot.ts';
import { checkInteger, checkNumber } from '../attributes.ts';
import { apply, use, type Op } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

interface OneHot {
  readonly classes: number;
  readonly on: number;
  readonly off: number;
}

const op: Op<OneHot> = {
  name: 'oneHot',
  infer([labels], { classes, on, off }) {
    if (labels.type !== 'u32' || labels.shape.length !== 1)
      throw new ShapeError(`oneHot: ${describe(labels)}; u32 [rows] was expected`);
    checkInteger('oneHot', 'classes', classes, 1);
    for (const [name, value] of Object.entries({ on, off })) checkNumber('oneHot', name, value);
    return [{ shape: [labels.length, classes] }];
  },
  lower: ({ attributes, inputs: [labels], outputs: [values] }) => [
    use(kernel, { rows: labels.length, ...attributes }, { labels, values }),
  ],
  indices: ({ attributes: { classes }, inputs: [labels] }) => [{ indices: labels, end: classes }],
};

/**
 * Rows with one value at their label and another one elsewhere.
 * @param labels u32 [rows]; a label that is no class ends the run with an IndexError, as in `selectRows`
 * @param classes up to 65535
 * @returns [rows, classes]
 */
export function oneHot(
  labels: Tensor,
  classes: number,
  { on = 1, off = 0 }: { readonly on?: number; readonly off?: number } = {},
): Tensor {
  return apply(op, [labels], { classes, on, off })[0];
}
