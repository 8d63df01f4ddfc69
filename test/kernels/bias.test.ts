import { test } from 'uvu';
import { bias } from '../../kernels/bias.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(bias);
test.run();
