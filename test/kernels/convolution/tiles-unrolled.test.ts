import { test } from 'uvu';
import { convolution } from '../../../kernels/convolution/forward.ts';
import { convolutionDataGradient } from '../../../kernels/convolution/data-gradient.ts';
import { HALF } from '../../../kernels/convolution/problem.ts';
import { SHAPE, testUnrolled, WHOLE } from '../../support/convolution-tiles.ts';

testUnrolled([
  [convolution, { ...SHAPE, epilogue: { residual: true, relu: true } }],
  [convolutionDataGradient, { ...WHOLE, outputChannels: 144, inputChannels: 132 }],
  [convolution, { ...WHOLE, ...HALF }],
] as never);

test.run();
