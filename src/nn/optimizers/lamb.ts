import { adamHyper } from '../../../kernels/optimizer/adam.ts';
import { segmentTable } from '../../../kernels/optimizer/tensor-norms.ts';
import { lambUpdate } from '../../autodiff/ops/optimizers.ts';
import { constant } from '../../autodiff/tensor.ts';
import type { AdamHyperparameters } from './adam.ts';
import type { Optimizer } from './optimizer.ts';

/**
 * LAMB (You et al., ICLR 2020): Adam with decoupled weight decay, whose step of each tensor is as long as its weights,
 * times the learning rate. For large batches. Vectors (biases, scales and shifts) are not adapted.
 */
export const lamb: Optimizer<AdamHyperparameters> = {
  defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-6 },
  state: ['first moment', 'second moment'],
  hyperLength: 8,
  hyper: (hyperparameters, learningRate, step) => adamHyper({ ...hyperparameters, learningRate }, step),
  update(range, [firstMoment, secondMoment]) {
    const table = segmentTable(range.tensors);
    return lambUpdate({ ...range, firstMoment, secondMoment, segments: constant('segments', [table.length], table) });
  },
};
