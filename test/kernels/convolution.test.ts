import { test } from 'uvu';
import { convolution } from '../../kernels/convolution.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(convolution);
test.run();
