import { f32, type Dispatch } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blockedSumError, blockLength, EPSILON, sumError, type Kernel, type Operand, type Values } from '../kernel.ts';
import { summation } from '../reduction/reduce-sum.ts';
import { ownKindFirst } from '../select.ts';

export interface SoftmaxCrossEntropyProblem {
  readonly rows: number;
  readonly classes: number;
  /**
   * 'hard': one label a row, u32 [rows], each below `classes`; any other gives NaN. 'soft': a distribution a row, f32
   * [rows, classes].
   */
  readonly targets: 'hard' | 'soft';
  /** The logits are divided by it; 1 if left out. */
  readonly temperature?: number;
}

/**
 * loss [1] = mean over rows of the cross-entropy between targets and softmax(logits / temperature), and its gradient
 * dlogits [rows, classes] = (softmax * sum(target) - target) / (rows * temperature), in one pass over the logits.
 */
export const softmaxCrossEntropy: Kernel<SoftmaxCrossEntropyProblem> = {
  name: 'softmax_cross_entropy',
  calls: ({ rows, classes, targets, temperature = 1 }, traits) => {
    const soft = targets === 'soft';
    const mean = summation(['rowLoss'], rows, 'loss', 1 / rows, traits.kind);
    const operands: Record<string, Operand> = {
      logits: { role: 'input', type: 'f32', length: rows * classes },
      targets: soft
        ? { role: 'input', type: 'f32', length: rows * classes }
        : { role: 'input', type: 'u32', length: rows },
      loss: { role: 'output', type: 'f32', length: 1 },
      dlogits: { role: 'output', type: 'f32', length: rows * classes },
      rowLoss: { role: 'scratch', type: 'f32', length: rows },
      ...mean.scratch,
    };
    const pass = (entryPoint: string, workgroupSize: number, rowsPerWorkgroup: number): Dispatch =>
      sliceable(rows, { logits: classes, targets: soft ? classes : 1, rowLoss: 1, dlogits: classes }, (count) => ({
        shader: shaders.softmaxCrossEntropy,
        libraries: [shaders.softmaxRows],
        entryPoint,
        constants: { Target: soft ? 'f32' : 'u32', SOFT: soft, WORKGROUP_SIZE: workgroupSize },
        parameters: [count, classes, f32(1 / temperature), f32(1 / (rows * temperature)), blockLength(classes, 2)],
        operands: ['logits', 'targets', 'rowLoss', 'dlogits'],
        workgroups: foldGrid(ceilDivide(count, rowsPerWorkgroup)),
      }));
    const sharedRows = {
      variant: 'row per workgroup',
      operands,
      dispatches: [pass('rowPerWorkgroup', 128, 1), ...mean.dispatches],
    };
    const ownRows = {
      variant: 'row per invocation',
      operands,
      dispatches: [pass('rowPerInvocation', 8, 8), ...mean.dispatches],
    };
    return ownKindFirst(traits, { gpu: [sharedRows], cpu: [ownRows] });
  },
  reference,
  cost: ({ rows, classes, targets }) => ({
    flop: 12 * rows * classes,
    bytes: 4 * rows * classes * (targets === 'soft' ? 3 : 2) + (targets === 'soft' ? 0 : 4 * rows) + 4,
  }),
  cases: [
    { rows: 1, classes: 1, targets: 'hard' },
    { rows: 3, classes: 7, targets: 'hard' },
    { rows: 3, classes: 7, targets: 'soft' },
    { rows: 17, classes: 131, targets: 'soft', temperature: 0.05 },
    { rows: 64, classes: 500, targets: 'hard', temperature: 0.05 },
    { rows: 33, classes: 1000, targets: 'soft' },
  ],
  sampleInputs: ({ rows, classes, targets }, uniform): Values => {
    const logits = Float64Array.from({ length: rows * classes }, () => Math.fround(8 * uniform()));
    if (targets === 'hard')
      return {
        logits,
        targets: Float64Array.from({ length: rows }, () => Math.floor(((uniform() + 1) / 2) * classes)),
      };
    // Teachers give probabilities, many of them nearly or exactly 0; their sum need not be 1 to the last bit.
    return {
      logits,
      targets: Float64Array.from({ length: rows * classes }, () => Math.fround(Math.max(0, uniform()) / classes)),
    };
  },
};

function reference({ rows, classes, targets, temperature = 1 }: SoftmaxCrossEntropyProblem, inputs: Values) {
  const loss = { value: new Float64Array(1), error: new Float64Array(1) };
  const dlogits = { value: new Float64Array(rows * classes), error: new Float64Array(rows * classes) };
  let lossMagnitude = 0;
  for (let row = 0; row < rows; row++) {
    const z = Array.from(inputs.logits.subarray(row * classes, (row + 1) * classes), (logit) => logit / temperature);
    const target = Array.from({ length: classes }, (_, c) =>
      targets === 'soft' ? inputs.targets[row * classes + c] : Number(inputs.targets[row] === c),
    );
    const highest = z.reduce((most, value) => Math.max(most, value), -Infinity);
    // The reciprocal of the temperature and the product with it are rounded (both are exact where it is 1): this moves
    // z.
    const scaling = temperature === 1 ? 0 : 2 * EPSILON;
    const shifted = z.map((value) => value - highest);
    const shiftedError = z.map(
      (value, c) => scaling * (Math.abs(value) + Math.abs(highest)) + EPSILON * Math.abs(shifted[c]),
    );
    // WGSL's exp may err by 3 + 2 |x| units in the last place (2 EPSILON each), besides what the error of x does.
    const exponential = shifted.map(Math.exp);
    const exponentialError = exponential.map(
      (e, c) => e * (Math.expm1(shiftedError[c]) + 2 * EPSILON * (3 + 2 * Math.abs(shifted[c]))),
    );
    const s = total(exponential);
    const sError = total(exponentialError) + blockedSumError(classes, 2, s);
    const weight = total(target);
    const weightError = targets === 'soft' ? blockedSumError(classes, 2, weight) : 0;
    // log: 3 units in the last place, or 2^-21 where its argument lies in [0.5, 2].
    const logS = Math.log(s);
    const logError = sError / s + Math.max(6 * EPSILON * logS, s <= 2 ? 2 ** -21 : 0);
    const agreement = target.map((t, c) => t * shifted[c]);
    const agreementError =
      total(target.map((t, c) => t * shiftedError[c] + EPSILON * Math.abs(agreement[c]))) +
      blockedSumError(classes, 2, -total(agreement));
    const rowLoss = weight * logS - total(agreement);
    const rowError =
      weight * logError +
      weightError * (logS + logError) +
      EPSILON * weight * logS +
      agreementError +
      EPSILON * rowLoss;
    loss.value[0] += rowLoss / rows;
    loss.error[0] += rowError / rows;
    lossMagnitude += rowLoss / rows;
    const scale = 1 / (rows * temperature);
    for (let c = 0; c < classes; c++) {
      const softmax = (exponential[c] / s) * weight;
      // Relative: the exponential, s, the weight, their quotient (2.5 units) and product; then the difference; then the
      // scale.
      const softmaxError =
        softmax * (exponentialError[c] / exponential[c] + sError / s + weightError / weight + 6 * EPSILON);
      const gradient = softmax - target[c];
      dlogits.value[row * classes + c] = gradient * scale;
      dlogits.error[row * classes + c] = scale * (softmaxError * (1 + 1e-3) + 3 * EPSILON * Math.abs(gradient)) + 1e-37;
    }
  }
  loss.error[0] += sumError(rows, lossMagnitude) + 2 * EPSILON * loss.value[0];
  return { loss, dlogits };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
