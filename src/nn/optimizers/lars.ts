import { lars as kernel } from '../../../kernels/optimizer/lars.ts';
import { tensorwiseUpdate, type Optimizer } from './optimizer.ts';

/** Hyperparameters of LARS (You et al., 2017). */
export interface LarsHyperparameters {
  readonly momentum: number;
  /** The share of its weights' norm by which a tensor's gradient moves it at a learning rate of 1. */
  readonly trustCoefficient: number;
  /** Added to the denominator of the trust ratio. */
  readonly epsilon: number;
}

/**
 * LARS (You, Gitman and Ginsburg 2017, "Large batch training of convolutional networks"): SGD with momentum, whose
 * learning rate of each tensor is proportional to the norm of its weights over that of its gradient. Vectors (biases,
 * scales and shifts) are not adapted.
 */
export const lars: Optimizer<LarsHyperparameters> = {
  defaults: { momentum: 0.9, trustCoefficient: 1e-3, epsilon: 1e-8 },
  state: ['velocity'],
  hyperLength: 4,
  hyper: ({ momentum, trustCoefficient, epsilon }, learningRate) => [learningRate, momentum, trustCoefficient, epsilon],
  update: (range, [velocity]) => tensorwiseUpdate(kernel, range, { velocity }),
};
