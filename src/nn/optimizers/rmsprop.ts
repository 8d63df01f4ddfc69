import { rmsprop as kernel } from '../../../kernels/optimizer/rmsprop.ts';
import { elementwiseUpdate, type Optimizer } from './optimizer.ts';

/**
 * RMSprop (Tieleman and Hinton, 2012), as PyTorch has it, neither centered nor with momentum. `alpha` is the share of the
 * past in the moving average of squared gradients; `epsilon` is added to the root of the average.
 */
export const rmsprop: Optimizer<{ readonly alpha: number; readonly epsilon: number }> = {
  defaults: { alpha: 0.99, epsilon: 1e-8 },
  state: ['squared gradient'],
  hyperLength: 4,
  hyper: ({ alpha, epsilon }, learningRate) => [learningRate, alpha, 1 - alpha, epsilon],
  update: (range, [squares]) => elementwiseUpdate(kernel, range, { squares }, {}),
};
