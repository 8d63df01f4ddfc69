import { test } from 'uvu';
import { foldBatchNorm } from '../../kernels/fold_batch_norm.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(foldBatchNorm);
test.run();
