import { test } from 'uvu';
import { measureCopy } from '../../kernels/measure_copy.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(measureCopy);
test.run();
