import { test } from 'uvu';
import { convolutionStatistics } from '../../../kernels/convolution/statistics.ts';
import { convolutionWeightGradient } from '../../../kernels/convolution/weight-gradient.ts';
import { SHAPE, testUnrolled, WHOLE } from '../../support/convolution-tiles.ts';

testUnrolled([
  [convolutionStatistics, { ...WHOLE, epsilon: 1e-5 }],
  [convolutionStatistics, { ...SHAPE, inputChannels: 16, outputChannels: 132, epsilon: 1e-5 }],
  [convolutionWeightGradient, SHAPE],
  [convolutionWeightGradient, { ...WHOLE, height: 16, width: 16 }],
] as never);

test.run();
