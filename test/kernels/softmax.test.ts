import { test } from 'uvu';
import { softmax } from '../../kernels/softmax.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(softmax);

test.run();
