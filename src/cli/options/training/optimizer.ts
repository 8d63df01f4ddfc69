/** Options of the optimizer and of its learning rate. */
import { OPTIMIZER_KINDS } from '../../../nn/optimizers/index.ts';
import { choice, integer, number } from '../kinds.ts';
import { setting } from '../setting.ts';

export const OPTIMIZER_OPTIONS = {
  optimizer: setting(
    'optimizer.kind',
    choice(OPTIMIZER_KINDS, {
      help: 'adam adds the weight decay to the gradient, adamw subtracts it from the weights; lamb and lars scale the step of each tensor to its norm, for large batches',
    }),
  ),
  learningRate: setting(
    'schedule.learningRate',
    number({
      above: 0,
      help: 'Initial learning rate of the schedule',
    }),
  ),
  weightDecay: setting('optimizer.weightDecay', number({ minimum: 0, help: 'Weight decay' })),
  decayed: setting(
    'optimizer.decayed',
    choice(['all', 'weights'], {
      help: 'Parameters with weight decay: all, or only weights (not biases and batch normalization)',
    }),
  ),
  trunkRate: setting(
    'optimizer.trunkRate',
    number({
      minimum: 0,
      help: "Multiplier of the learning rate for the backbone's parameters; 0 freezes them",
    }),
  ),
  momentum: setting('optimizer.momentum', number({ minimum: 0, maximum: 1, help: 'Momentum of sgd and lars' })),
  schedule: setting(
    'schedule.decay',
    choice(['constant', 'exponential', 'cosine', 'linear'], {
      help: "Shape of the learning rate's decay",
    }),
  ),
  finalRate: setting(
    'schedule.final',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Final learning rate, as a share of the initial one',
    }),
  ),
  scheduleBy: setting(
    'schedule.stepsAtARate',
    choice(['step', 'epoch'], {
      default: 'step',
      help: 'Whether the learning rate changes at every step or at every epoch',
    }),
    (by, { stepsInAnEpoch }: { readonly stepsInAnEpoch: number }) => (by === 'epoch' ? stepsInAnEpoch : 1),
  ),
  warmup: setting(
    'schedule.warmupSteps',
    integer({
      minimum: 0,
      help: 'Steps over which the learning rate rises from 0',
    }),
  ),
  emaDecay: setting(
    'emaDecay',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: 'Decay of an exponential moving average of the weights, such as 0.999; 0 for none. The average is validated and saved as the model. The decay rises as (1 + step) / (10 + step)',
    }),
  ),
} as const;
