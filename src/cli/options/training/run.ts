/** Options of a run: the weights that it starts from, its checkpoints, its memory. */
import { bytes, integer, text } from '../kinds.ts';
import { WEIGHTS_OPTIONS } from '../model.ts';

export const RUN_OPTIONS = {
  weights: text({
    placeholder: 'file',
    help: "Starting weights: a model of ours, or a backbone of torchvision's, timm's or others (.safetensors, .pth, .pt, .bin), whole or in part; one with a classifier is the teacher too. sketchgrad weights FILE shows what is in it",
  }),
  ...WEIGHTS_OPTIONS,
  resume: text({
    placeholder: 'folder|file',
    changeable: true,
    help: 'Go on with a run, from its latest checkpoint or from the one given; settings come from there',
  }),
  checkpointEvery: integer({
    minimum: 1,
    default: 500,
    changeable: true,
    remembered: true,
    help: 'Steps from one checkpoint to the next',
  }),
  keep: integer({
    minimum: 1,
    default: 2,
    changeable: true,
    remembered: true,
    help: 'Checkpoints that are kept, besides the best and the last',
  }),
  validateEvery: integer({
    minimum: 1,
    default: 500,
    changeable: true,
    remembered: true,
    help: 'Steps from one validation to the next',
  }),
  memoryBudget: bytes({
    changeable: true,
    remembered: true,
    help: 'Device memory that the training may hold, such as 900M or 2G, weights and moments included; what does not fit is recomputed, at no change of any number; below what that needs, the batch comes in micro-batches',
  }),
  accumulate: integer({
    minimum: 1,
    changeable: true,
    help: 'Equal micro-batches that a batch comes in, for less memory at once; losses and mining still see all of it (default: as few as --memory-budget allows)',
  }),
  profile: text({
    placeholder: 'file',
    changeable: true,
    help: 'Write the time of every kernel of a step to this JSON file, after the training',
  }),
} as const;
