import { test } from 'uvu';
import { fill } from '../../kernels/fill.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(fill);
test.run();
