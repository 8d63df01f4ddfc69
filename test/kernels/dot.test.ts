import { test } from 'uvu';
import { dot } from '../../kernels/dot.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(dot);
test.run();
