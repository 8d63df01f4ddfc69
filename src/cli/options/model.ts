/** Options that name a model or weights. */
import {
  IMAGENET_PIXELS,
  InputConventionError,
  parseInputConvention,
  pixelNormalization,
  type InputConvention,
} from '../../nn/pixels.ts';
import { number, text } from './kinds.ts';
import { OptionError } from './option.ts';
import { setting } from './setting.ts';

/** `--model` of the commands that need a model of the user's. */
export const MODEL_OPTION = text({
  placeholder: 'file',
  required: true,
  help: 'A model or checkpoint from sketchgrad train (.safetensors)',
});

/** `--model` of the commands that search. */
export const SEARCH_MODEL_OPTION = text({
  placeholder: 'file',
  help: 'A model or checkpoint from sketchgrad train (.safetensors). Default: the shipped search model',
});

/** `--min-similarity` of the commands that search. */
export const MIN_SIMILARITY_OPTION = number({
  minimum: -1,
  maximum: 1,
  help: 'The cosine below which a result is no match. Default: the calibrated cut-off of the model, if it has one',
});

/** Options of the commands that read weights of others. */
export const WEIGHTS_OPTIONS = {
  weightsPrefix: text({
    placeholder: 'text',
    help: 'The prefix of the tensor names of the network to use, if the file of weights holds several networks, such as module.encoder_q.',
  }),
  input: setting(
    'pixels',
    text({
      placeholder: 'convention',
      help: 'Input convention of the weights: imagenet, caffe, half, or words such as "BGR, 0..255, mean 103.939 116.779 123.68, std 1" (default: that of the file, else imagenet)',
    }),
    (input) => (input === undefined ? IMAGENET_PIXELS : pixelNormalization(parseInputOption(input))),
  ),
} as const;

/** @throws OptionError that says how a convention is written */
export function parseInputOption(input: string): InputConvention {
  try {
    return parseInputConvention(input);
  } catch (cause) {
    throw cause instanceof InputConventionError ? new OptionError(`--input: ${cause.message}`, { cause }) : cause;
  }
}
