import { isPointwise } from '../../kernels/convolution/gather.ts';
import type { ConvolutionShape } from '../../kernels/convolution/problem.ts';

/**
 * Of a problem that is a product of matrices: `plain` where the matrices lie in memory as they are and all counted
 * operations have to be done, `implicit` where one of them is gathered (a kernel larger than 1x1, a stride), and
 * padding is counted too.
 */
export type Product = 'plain' | 'implicit';

export const productOf = (shape: ConvolutionShape): Product => (isPointwise(shape) ? 'plain' : 'implicit');
