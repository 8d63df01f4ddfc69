import { test } from 'uvu';
import { accumulate } from '../../kernels/accumulate.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(accumulate);
test.run();
