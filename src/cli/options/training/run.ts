/** Options of a run: the weights that it starts from, its checkpoints, its memory. */
import { bytes, integer, text } from '../kinds.ts';
import { WEIGHTS_OPTIONS } from '../model.ts';

export const RUN_OPTIONS = {
  weights: text({
    placeholder: 'file',
    help: 'Starting weights: a sketchgrad model, or a complete or partial backbone from torchvision, timm or others (.safetensors, .pth, .pt, .bin). One with a classifier is also the teacher. sketchgrad weights FILE shows its contents',
  }),
  ...WEIGHTS_OPTIONS,
  resume: text({
    placeholder: 'folder|file',
    changeable: true,
    help: 'Continue a run from its latest checkpoint, or from the given one, with its settings',
  }),
  checkpointEvery: integer({
    minimum: 1,
    default: 500,
    changeable: true,
    remembered: true,
    help: 'Steps between checkpoints',
  }),
  keep: integer({
    minimum: 1,
    default: 2,
    changeable: true,
    remembered: true,
    help: 'Number of checkpoints to keep, besides the best and the last',
  }),
  validateEvery: integer({
    minimum: 1,
    default: 500,
    changeable: true,
    remembered: true,
    help: 'Steps between validations',
  }),
  memoryBudget: bytes({
    changeable: true,
    remembered: true,
    help: 'Limit of device memory, such as 900M or 2G, weights and moments included. Activations that do not fit are recomputed, with identical results; if that does not suffice, the batch is split into micro-batches',
  }),
  accumulate: integer({
    minimum: 1,
    changeable: true,
    help: 'Number of equal micro-batches in a batch, to save memory. Losses and mining use the whole batch (default: as few as --memory-budget allows)',
  }),
  profile: text({
    placeholder: 'file',
    changeable: true,
    help: 'After the training, write the time of every kernel of a step to this JSON file',
  }),
} as const;
