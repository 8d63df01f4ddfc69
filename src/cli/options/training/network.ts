/** Options of the network: its backbone, its batch normalisation, its embedding, and the images that it takes. */
import {
  backboneDefinition,
  BACKBONE_NAMES,
  DEFAULT_BACKBONE,
  type BackboneName,
} from '../../../nn/backbones/index.ts';
import { choice, integer, number } from '../kinds.ts';
import { OptionError } from '../option.ts';
import { setting } from '../setting.ts';
import { PRECISION_OPTION } from '../shared.ts';

export const NETWORK_OPTIONS = {
  batchNorm: setting(
    'batchNorm',
    choice(['train', 'frozen'], {
      help: "Normalise by each batch's statistics, or by the running ones of the starting weights",
    }),
  ),
  batchNormDomains: setting(
    'network.batchNormDomains',
    choice(['shared', 'separate'], {
      default: 'shared',
      help: 'Whether batch normalisation has one set of statistics for sketches and photos, or one for each; weights may say it themselves',
    }),
  ),
  frozenStages: setting(
    'frozenStages',
    integer({
      minimum: 0,
      default: 0,
      help: 'Stages of the backbone, the stem with the first, whose weights and running statistics stay as they begin; no gradient goes through them',
    }),
    (stages, { backbone }: { readonly backbone: BackboneName }) => {
      const { title, stages: most } = backboneDefinition(backbone);
      if (stages > most) throw new OptionError(`--frozen-stages ${stages}: ${title} has ${most}; give at most ${most}`);
      return stages;
    },
  ),
  size: setting('imageSize', integer({ minimum: 32, maximum: 1024, help: 'Side of the images, in pixels' })),
  backbone: setting(
    'network.backbone',
    choice(BACKBONE_NAMES, {
      default: DEFAULT_BACKBONE,
      help: 'The network that computes features of an image; weights say their own',
    }),
  ),
  width: setting(
    'network.width',
    number({
      above: 0,
      maximum: 4,
      help: "Multiplies the backbone's numbers of channels, in quarters; 1 is the network of the paper, and weights say their own",
    }),
  ),
  embedding: setting(
    'network.embedding',
    integer({
      minimum: 1,
      maximum: 4096,
      help: 'Components of an embedding',
    }),
  ),
  embeddingStart: setting(
    'embeddingStart',
    choice(['svd', 'random'], {
      help: "The embedding and the teacher's head to begin with: a classifier's singular vectors, or new ones",
    }),
  ),
  stride: setting(
    'network.stride',
    choice(['v1.5', 'v1'], {
      help: "Where a bottleneck block halves the image: in the 3x3 convolution (torchvision's), or in the 1x1 before it; weights may say it themselves",
    }),
  ),
  batchNormEpsilon: setting(
    'network.batchNormEpsilon',
    number({
      above: 0,
      maximum: 1,
      help: 'What batch normalisation adds to the variance; weights may say it themselves',
    }),
  ),
  batchNormMomentum: setting(
    'network.batchNormMomentum',
    number({ minimum: 0, maximum: 1, help: 'Share of the batch in the running statistics of batch normalisation' }),
  ),
  sketches: setting(
    'sketches',
    choice(['whole', 'fitted'], {
      default: 'whole',
      help: 'Whether sketches of a folder or a published set are stretched whole or cut to their ink first; the model then wants the sketches of a search so, too. Weights may say it themselves',
    }),
  ),
  precision: setting('precision', PRECISION_OPTION),
} as const;
