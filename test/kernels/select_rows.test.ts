import { test } from 'uvu';
import { selectRows } from '../../kernels/select_rows.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(selectRows);
test.run();
