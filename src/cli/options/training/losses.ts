/** Options of the losses, and of the classifier that one of them trains. */
import { COSINE_TEMPERATURE } from '../../../training/retrieval-loss.ts';
import { choice, integer, number } from '../kinds.ts';
import { OptionError } from '../option.ts';
import { setting } from '../setting.ts';

interface ClassifierOption {
  readonly classifier: 'linear' | 'cosine';
}

export const LOSS_OPTIONS = {
  lossQuadruplet: setting(
    'losses.quadruplet',
    number({
      minimum: 0,
      help: 'Weight of the domain-balanced quadruplet loss',
    }),
  ),
  lossClassification: setting(
    'losses.classification',
    number({
      minimum: 0,
      help: 'Weight of the classification loss',
    }),
  ),
  lossPreservation: setting(
    'losses.preservation',
    number({
      minimum: 0,
      help: 'Weight of the knowledge preservation loss; ignored without a teacher in --weights',
    }),
  ),
  lossContrastive: setting(
    'losses.contrastive',
    number({
      minimum: 0,
      default: 0,
      help: 'Weight of the supervised contrastive loss of Khosla et al. (2020) on the embeddings; 0 for none',
    }),
    (
      weight,
      {
        contrastiveTemperature: temperature,
        contrastivePositives: positives,
      }: {
        readonly contrastiveTemperature: number;
        readonly contrastivePositives: 'other-domain' | 'any';
      },
    ) => (weight > 0 ? { weight, temperature, positives } : undefined),
  ),
  contrastiveTemperature: number({ above: 0, default: 0.1, help: 'Divisor of the cosines in the contrastive loss' }),
  contrastivePositives: choice(['other-domain', 'any'], {
    default: 'other-domain',
    help: 'Positives of the contrastive loss: images of the same class in the other domain, or all of the same class',
  }),
  quadrupletForm: setting(
    'losses.form',
    choice(['domain-balanced', 'one-hinge', 'two-pairs'], {
      help: 'Hinges of the quadruplet loss: one for the negative of each domain; one for both; or those of Chen et al. (2017), the second with a pair of other classes',
    }),
  ),
  margin: setting(
    'losses.margin',
    number({
      minimum: 0,
      help: 'Margin of the quadruplet loss, as a distance between embeddings of length 1',
    }),
  ),
  secondMargin: setting(
    'losses.secondMargin',
    number({
      minimum: 0,
      help: 'Margin of the second hinge of two-pairs, whose distances are squared (default: half of --margin)',
    }),
    (secondMargin, { margin }: { readonly margin: number }) => secondMargin ?? margin / 2,
  ),
  hingeShare: setting(
    'losses.share',
    number({
      minimum: 0,
      maximum: 1,
      help: "Share of the other domain's negative in the one hinge",
    }),
  ),
  mining: setting(
    'losses.mining',
    choice(['hardest', 'semi-hard', 'random'], {
      help: 'How the quadruplet loss selects positives and negatives in the batch',
    }),
  ),
  quadrupletStart: setting(
    'losses.quadrupletStart',
    integer({
      minimum: 0,
      help: 'Steps before the quadruplet loss starts; from random weights, it collapses without a delay',
    }),
  ),
  quadrupletRamp: setting(
    'losses.quadrupletRamp',
    integer({
      minimum: 0,
      help: 'Steps over which the weight of the quadruplet loss rises',
    }),
  ),
  classifier: setting(
    'network.classifier',
    choice(['linear', 'cosine'], {
      help: 'Classifier of the trained classes: a linear layer on the embedding, or cosines',
    }),
  ),
  classifierTemperature: setting(
    'losses.classifierTemperature',
    number({
      above: 0,
      help: `Divides the classifier's logits (default: 1, and ${COSINE_TEMPERATURE} for cosines)`,
    }),
    (temperature, { classifier }: ClassifierOption) =>
      temperature ?? (classifier === 'cosine' ? COSINE_TEMPERATURE : 1),
  ),
  labelSmoothing: setting(
    'losses.labelSmoothing',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: 'Label smoothing: the share of the classification targets that is spread over all classes',
    }),
  ),
  classifierMargin: setting(
    'losses.classifierMargin',
    number({
      minimum: 0,
      maximum: 2,
      default: 0,
      help: 'Margin that a cosine classifier subtracts from the cosine of the right class, such as 0.2 (CosFace)',
    }),
    (margin, { classifier }: ClassifierOption) => {
      if (margin > 0 && classifier !== 'cosine')
        throw new OptionError(
          `--classifier-margin ${margin}: a margin is for cosines; give --classifier cosine as well, or leave it out`,
        );
      return margin;
    },
  ),
  preservedDomains: setting(
    'losses.preservedDomains',
    choice(['both', 'photos'], {
      help: 'Domains of the knowledge preservation loss',
    }),
  ),
} as const;
