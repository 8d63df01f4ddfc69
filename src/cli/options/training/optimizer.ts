/** Options of the optimizer and of its learning rate. */
import { OPTIMIZER_KINDS } from '../../../nn/optimizers/index.ts';
import { choice, integer, number } from '../kinds.ts';
import { setting } from '../setting.ts';

export const OPTIMIZER_OPTIONS = {
  optimizer: setting(
    'optimizer.kind',
    choice(OPTIMIZER_KINDS, {
      help: 'adam adds the weight decay to the gradient, adamw takes it off the weights; lamb and lars scale the step of each tensor to its norm, for large batches',
    }),
  ),
  learningRate: setting(
    'schedule.learningRate',
    number({
      above: 0,
      help: 'Learning rate where the schedule begins',
    }),
  ),
  weightDecay: setting('optimizer.weightDecay', number({ minimum: 0, help: 'Weight decay' })),
  decayed: setting(
    'optimizer.decayed',
    choice(['all', 'weights'], {
      help: 'Parameters that decay: all, or weights alone, not biases and batch normalisation',
    }),
  ),
  trunkRate: setting(
    'optimizer.trunkRate',
    number({
      minimum: 0,
      help: "Times the learning rate, for the backbone's own parameters; 0 keeps them as they are",
    }),
  ),
  momentum: setting('optimizer.momentum', number({ minimum: 0, maximum: 1, help: 'Momentum of sgd and lars' })),
  schedule: setting(
    'schedule.decay',
    choice(['constant', 'exponential', 'cosine', 'linear'], {
      help: 'How the learning rate falls',
    }),
  ),
  finalRate: setting(
    'schedule.final',
    number({
      minimum: 0,
      maximum: 1,
      help: 'The share of the learning rate that is left in the end',
    }),
  ),
  scheduleBy: setting(
    'schedule.stepsAtARate',
    choice(['step', 'epoch'], {
      default: 'step',
      help: 'Whether the learning rate falls at every step, or between epochs',
    }),
    (by, { stepsInAnEpoch }: { readonly stepsInAnEpoch: number }) => (by === 'epoch' ? stepsInAnEpoch : 1),
  ),
  warmup: setting(
    'schedule.warmupSteps',
    integer({
      minimum: 0,
      help: 'Steps over which the learning rate rises at the beginning',
    }),
  ),
  emaDecay: setting(
    'emaDecay',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: 'Decay of an exponential moving average of the weights, such as 0.999, which then is validated and saved as the model; it rises to that as (1 + step) / (10 + step); 0 for none',
    }),
  ),
} as const;
