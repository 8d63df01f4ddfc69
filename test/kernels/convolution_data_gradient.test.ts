import { test } from 'uvu';
import { convolutionDataGradient } from '../../kernels/convolution_data_gradient.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(convolutionDataGradient);
test.run();
