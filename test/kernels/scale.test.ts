import { test } from 'uvu';
import { scale, scaleByConstant } from '../../kernels/scale.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(scale);
testKernel(scaleByConstant);
test.run();
