import { test } from 'uvu';
import { multiply } from '../../kernels/multiply.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(multiply);
test.run();
