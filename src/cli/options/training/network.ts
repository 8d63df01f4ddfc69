/** Options of the network: its backbone, its batch normalization, its embedding, and the images that it takes. */
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
      help: "Normalize by the batch's statistics, or by the running statistics of the starting weights",
    }),
  ),
  batchNormDomains: setting(
    'network.batchNormDomains',
    choice(['shared', 'separate'], {
      default: 'shared',
      help: 'Whether batch normalization has one set of statistics for sketches and photos, or one for each. Default: that of the weights',
    }),
  ),
  frozenStages: setting(
    'frozenStages',
    integer({
      minimum: 0,
      default: 0,
      help: 'Number of frozen stages of the backbone (the stem belongs to the first): their weights and running statistics do not change',
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
      help: 'The network that computes the features of an image. Default: that of the weights',
    }),
  ),
  width: setting(
    'network.width',
    number({
      above: 0,
      maximum: 4,
      help: "Multiplier of the backbone's numbers of channels, in quarters; 1 is the network of the paper. Default: that of the weights",
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
      help: "Initialization of the embedding and the teacher's head: the singular vectors of a classifier, or random",
    }),
  ),
  stride: setting(
    'network.stride',
    choice(['v1.5', 'v1'], {
      help: 'The convolution of a bottleneck block with the stride: the 3x3 (torchvision), or the 1x1 before it (v1). Default: that of the weights',
    }),
  ),
  batchNormEpsilon: setting(
    'network.batchNormEpsilon',
    number({
      above: 0,
      maximum: 1,
      help: 'Epsilon of batch normalization, added to the variance. Default: that of the weights',
    }),
  ),
  batchNormMomentum: setting(
    'network.batchNormMomentum',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Momentum of batch normalization: the share of the batch in the running statistics',
    }),
  ),
  sketches: setting(
    'sketches',
    choice(['whole', 'fitted'], {
      default: 'whole',
      help: 'Whether sketches of a folder or a published set are stretched as a whole, or cropped to their ink first. The model then requires the same of query sketches. Default: that of the weights',
    }),
  ),
  views: setting(
    'views',
    choice(['single', 'mirrored'], {
      default: 'single',
      help: 'What the trained model embeds: an image alone, or also its mirror image, by the mean of both embeddings, which takes twice as long. Default: that of the weights',
    }),
  ),
  precision: setting('precision', PRECISION_OPTION),
} as const;
