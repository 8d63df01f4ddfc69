import { test } from 'uvu';
import { measureWorkgroupMemory } from '../../kernels/measure_workgroup_memory.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(measureWorkgroupMemory);
test.run();
