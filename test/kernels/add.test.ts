import { test } from 'uvu';
import { add } from '../../kernels/add.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(add);
test.run();
