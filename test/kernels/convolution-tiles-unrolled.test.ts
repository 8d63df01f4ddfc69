import { test } from 'uvu';
import { convolution } from '../../kernels/convolution.ts';
import { convolutionDataGradient } from '../../kernels/convolution_data_gradient.ts';
import { convolutionF16 } from '../../kernels/convolution_f16.ts';
import { SHAPE, testUnrolled, WHOLE } from '../support/convolution-tiles.ts';

testUnrolled([
  [convolution, { ...SHAPE, epilogue: { residual: true, relu: true } }],
  [convolutionDataGradient, { ...WHOLE, outputChannels: 144, inputChannels: 132 }],
  [convolutionF16, WHOLE],
] as never);

test.run();
