import { momentumSgd } from '../../../kernels/optimizer/momentum-sgd.ts';
import { elementwiseUpdate, type Optimizer } from './optimizer.ts';

/** Hyperparameters of SGD with momentum, as in PyTorch. */
export interface SgdHyperparameters {
  readonly momentum: number;
  readonly nesterov: boolean;
}

/** Stochastic gradient descent with momentum, as PyTorch has it. */
export const sgd: Optimizer<SgdHyperparameters> = {
  defaults: { momentum: 0.9, nesterov: false },
  state: ['velocity'],
  hyperLength: 2,
  hyper: ({ momentum }, learningRate) => [learningRate, momentum],
  update: (range, [velocity], { nesterov }) => elementwiseUpdate(momentumSgd, range, { velocity }, { nesterov }),
};
