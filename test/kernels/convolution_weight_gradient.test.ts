import { test } from 'uvu';
import { convolutionWeightGradient } from '../../kernels/convolution_weight_gradient.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(convolutionWeightGradient);
test.run();
