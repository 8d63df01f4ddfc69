import { test } from 'uvu';
import { globalAveragePool } from '../../kernels/global_average_pool.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(globalAveragePool);
test.run();
