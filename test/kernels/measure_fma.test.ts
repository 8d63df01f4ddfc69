import { test } from 'uvu';
import { measureFma } from '../../kernels/measure_fma.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(measureFma);
test.run();
