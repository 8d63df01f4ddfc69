import { f32, type Dispatch } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { blockedSumError, blockLength, EPSILON, type Kernel, type Operand } from '../kernel.ts';
import { ownKindFirst } from '../select.ts';

export interface SoftmaxProblem {
  readonly rows: number;
  readonly classes: number;
  /** The logits are divided by it; 1 if left out. */
  readonly temperature?: number;
}

/**
 * probabilities [rows, classes] = softmax(logits / temperature), and entropy [rows] of each row in nats: what a teacher
 * says, and the floor of a cross-entropy against it.
 */
export const softmax: Kernel<SoftmaxProblem> = {
  name: 'softmax',
  calls: ({ rows, classes, temperature = 1 }, traits) => {
    const operands: Record<string, Operand> = {
      logits: { role: 'input', type: 'f32', length: rows * classes },
      probabilities: { role: 'output', type: 'f32', length: rows * classes },
      entropy: { role: 'output', type: 'f32', length: rows },
    };
    const pass = (entryPoint: string, workgroupSize: number, rowsPerWorkgroup: number): Dispatch =>
      sliceable(rows, { logits: classes, probabilities: classes, entropy: 1 }, (count) => ({
        shader: shaders.softmax,
        libraries: [shaders.softmaxRows],
        entryPoint,
        constants: { WORKGROUP_SIZE: workgroupSize },
        parameters: [count, classes, f32(1 / temperature), blockLength(classes, 2)],
        operands: ['logits', 'probabilities', 'entropy'],
        workgroups: foldGrid(ceilDivide(count, rowsPerWorkgroup)),
      }));
    const sharedRows = { variant: 'row per workgroup', operands, dispatches: [pass('rowPerWorkgroup', 128, 1)] };
    const ownRows = { variant: 'row per invocation', operands, dispatches: [pass('rowPerInvocation', 8, 8)] };
    return ownKindFirst(traits, { gpu: [sharedRows], cpu: [ownRows] });
  },
  reference: ({ rows, classes, temperature = 1 }, { logits }) => {
    const probabilities = blankExpected(rows * classes);
    const entropy = blankExpected(rows);
    // The reciprocal of the temperature and the product with it are rounded (both are exact where it is 1): this moves
    // z.
    const scaling = temperature === 1 ? 0 : 2 * EPSILON;
    for (let row = 0; row < rows; row++) {
      const z = Array.from(logits.subarray(row * classes, (row + 1) * classes), (logit) => logit / temperature);
      const highest = z.reduce((most, value) => Math.max(most, value), -Infinity);
      const shifted = z.map((value) => value - highest);
      const shiftedError = z.map(
        (value, c) => scaling * (Math.abs(value) + Math.abs(highest)) + EPSILON * Math.abs(shifted[c]),
      );
      // WGSL's exp may err by 3 + 2 |x| units in the last place (2 EPSILON each), besides what the error of x does.
      const powers = shifted.map(Math.exp);
      const powersError = powers.map(
        (power, c) => power * (Math.expm1(shiftedError[c]) + 2 * EPSILON * (3 + 2 * Math.abs(shifted[c]))),
      );
      const s = total(powers);
      const sError = total(powersError) + blockedSumError(classes, 2, s);
      powers.forEach((power, c) => {
        probabilities.value[row * classes + c] = power / s;
        // The division errs by 2.5 units.
        probabilities.error[row * classes + c] =
          1.001 * (power / s) * (powersError[c] / power + sError / s + 5 * EPSILON) + 1e-37;
      });
      const mean = total(powers.map((power, c) => power * shifted[c])) / s;
      const sums =
        total(
          powers.map(
            (power, c) =>
              powersError[c] * Math.abs(shifted[c]) + power * shiftedError[c] + EPSILON * power * Math.abs(shifted[c]),
          ),
        ) + blockedSumError(classes, 2, -mean * s);
      const meanError = sums / s + Math.abs(mean) * (sError / s + 5 * EPSILON);
      // log: 3 units in the last place, or 2^-21 where its argument lies in [0.5, 2].
      const logError = sError / s + Math.max(6 * EPSILON * Math.log(s), s <= 2 ? 2 ** -21 : 0);
      entropy.value[row] = Math.log(s) - mean;
      entropy.error[row] = 1.001 * (meanError + logError) + EPSILON * entropy.value[row];
    }
    return { probabilities, entropy };
  },
  cost: ({ rows, classes }) => ({ flop: 14 * rows * classes, bytes: 8 * rows * classes + 4 * rows }),
  cases: [
    { rows: 1, classes: 1 },
    { rows: 3, classes: 7 },
    { rows: 17, classes: 131, temperature: 0.05 },
    { rows: 33, classes: 1000, temperature: 4 },
  ],
  sampleInputs: ({ rows, classes }, uniform) => ({
    logits: Float64Array.from({ length: rows * classes }, () => Math.fround(8 * uniform())),
  }),
};

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
