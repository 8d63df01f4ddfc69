import { test } from 'uvu';
import { affine } from '../../kernels/affine.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(affine);
test.run();
