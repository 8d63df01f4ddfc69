import { test } from 'uvu';
import { transpose } from '../../kernels/transpose.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(transpose);

test.run();
