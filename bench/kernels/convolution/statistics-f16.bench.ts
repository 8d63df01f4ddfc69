import { convolutionStatisticsF16 } from '../../../kernels/convolution/half-precision.ts';
import f32 from './statistics.bench.ts';

/** Nothing on an adapter without 16-bit floats. */
const bench: typeof f32 = { ...f32, kernel: convolutionStatisticsF16, type: 'f16' };
export default bench;
