import { adamHyper } from '../../../kernels/optimizer/adam.ts';
import { lamb as kernel } from '../../../kernels/optimizer/lamb.ts';
import type { AdamHyperparameters } from './adam.ts';
import { tensorwiseUpdate, type Optimizer } from './optimizer.ts';

/**
 * LAMB (You et al., ICLR 2020): Adam with decoupled weight decay, whose step of each tensor is as long as its weights,
 * times the learning rate. For large batches. Vectors (biases, scales and shifts) are not adapted.
 */
export const lamb: Optimizer<AdamHyperparameters> = {
  defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-6 },
  state: ['first moment', 'second moment'],
  hyperLength: 8,
  hyper: (hyperparameters, learningRate, step) => adamHyper({ ...hyperparameters, learningRate }, step),
  update: (range, [firstMoment, secondMoment]) => tensorwiseUpdate(kernel, range, { firstMoment, secondMoment }),
};
