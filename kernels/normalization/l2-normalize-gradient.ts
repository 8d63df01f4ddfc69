import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, sumError, type Kernel } from '../kernel.ts';
import { rowStyles } from '../reduction/row-styles.ts';
import { LEAST_NORM, l2Normalize, rowsOfAllLengths, type L2NormalizeProblem } from './l2-normalize.ts';

/**
 * The gradient of `l2Normalize` from its outputs: dx = (dy - f (f . dy)) / norm; where norm < 1e-12, f is x / 1e-12 and
 * dx = dy / 1e-12. f, dy, dx [rows, width], norm [rows].
 */
export const l2NormalizeGradient: Kernel<L2NormalizeProblem> = {
  name: 'l2_normalize_gradient',
  calls: ({ rows, width }, traits) =>
    rowStyles(traits).map(({ name, workgroupSize, invocations }) => ({
      variant: name,
      operands: {
        f: { role: 'input', type: 'f32', length: rows * width },
        norm: { role: 'input', type: 'f32', length: rows },
        dy: { role: 'input', type: 'f32', length: rows * width },
        dx: { role: 'output', type: 'f32', length: rows * width },
      },
      dispatches: [
        sliceable(rows, { f: width, norm: 1, dy: width, dx: width }, (count) => ({
          shader: shaders.l2NormalizeGradient,
          libraries: [shaders.rowReduction],
          constants: { WORKGROUP_SIZE: workgroupSize, INVOCATIONS: invocations },
          parameters: [count, width],
          operands: ['f', 'norm', 'dy', 'dx'],
          workgroups: foldGrid(ceilDivide(count, workgroupSize / invocations)),
        })),
      ],
    })),
  reference: ({ rows, width }, { f, norm, dy }) => {
    const dx = blankExpected(rows * width);
    for (let r = 0; r < rows; r++) {
      let projection = 0;
      let projectionError = 0;
      if (norm[r] >= LEAST_NORM) {
        let magnitude = 0;
        for (let i = r * width; i < (r + 1) * width; i++) {
          projection += f[i] * dy[i];
          magnitude += Math.abs(f[i] * dy[i]);
        }
        projectionError = sumError(width, magnitude);
      }
      const divisor = Math.max(norm[r], LEAST_NORM);
      for (let i = r * width; i < (r + 1) * width; i++) {
        const along = f[i] * projection;
        dx.value[i] = (dy[i] - along) / divisor;
        // The difference rounds its terms; the division may err by 2.5 ulp, and LEAST_NORM is rounded to float32.
        const rounding = EPSILON * (Math.abs(dy[i]) + 2 * Math.abs(along) + 6 * Math.abs(dy[i] - along));
        dx.error[i] = (Math.abs(f[i]) * projectionError + rounding) / divisor;
      }
    }
    return { dx };
  },
  cost: ({ rows, width }) => ({ flop: 5 * rows * width, bytes: 12 * rows * width }),
  cases: l2Normalize.cases,
  sampleInputs: (problem, uniform) => {
    const x = rowsOfAllLengths(problem, uniform);
    const { f, norm } = l2Normalize.reference(problem, { x });
    return { f: f.value.map(Math.fround), norm: norm.value.map(Math.fround), dy: x.map(uniform) };
  },
};
