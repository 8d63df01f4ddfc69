import { logSumExp, type LogSumExpProblem } from '../../../kernels/reduction/log-sum-exp.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<LogSumExpProblem> = {
  kernel: logSumExp,
  problems: { 'logits 48x1000': { rows: 48, width: 1000 }, 'similarities 128x2048': { rows: 128, width: 2048 } },
};
export default bench;
