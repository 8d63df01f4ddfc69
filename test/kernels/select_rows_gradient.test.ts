import { test } from 'uvu';
import { selectRowsGradient } from '../../kernels/select_rows_gradient.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(selectRowsGradient);
test.run();
