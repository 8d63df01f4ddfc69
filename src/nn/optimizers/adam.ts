import { adamHyper, adam as kernel } from '../../../kernels/optimizer/adam.ts';
import { elementwiseUpdate, type Optimizer } from './optimizer.ts';

/** Hyperparameters of Adam and AdamW (Kingma and Ba, 2015; Loshchilov and Hutter, 2019). */
export interface AdamHyperparameters {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** @param decoupled whether the weight decay is taken off the weights (AdamW) instead of being added to the gradient */
const adamOf = (decoupled: boolean): Optimizer<AdamHyperparameters> => ({
  defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  state: ['first moment', 'second moment'],
  hyperLength: 8,
  hyper: (hyperparameters, learningRate, step) => adamHyper({ ...hyperparameters, learningRate }, step),
  update: (range, [firstMoment, secondMoment]) =>
    elementwiseUpdate(kernel, range, { firstMoment, secondMoment }, { decoupled }),
});

/** Adam (Kingma and Ba, ICLR 2015), with PyTorch's defaults. */
export const adam = adamOf(false);
/** AdamW (Loshchilov and Hutter, ICLR 2019), with PyTorch's defaults. */
export const adamw = adamOf(true);
