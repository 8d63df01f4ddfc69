import { linear } from '../autodiff/ops/convolution.ts';
import { l2Normalize } from '../autodiff/ops/l2-normalize.ts';
import { transpose } from '../autodiff/ops/transpose.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import { Network, type Linear, type NetworkSettings } from './layers.ts';
import { ForwardContext, type BatchNormMode, type BatchStatistics } from './forward-context.ts';
import type { Backbone } from './backbones/backbone.ts';
import { buildBackbone, type BackboneSettings } from './backbones/index.ts';
import type { State, StateTensor } from './state.ts';

export interface RetrievalNetworkSettings extends BackboneSettings, NetworkSettings {
  /** Components of an embedding. */
  readonly embedding: number;
  /** Classes that are trained on. */
  readonly classes: number;
  /**
   * What the logits of the trained classes are: a linear layer's on the embedding (if left out), or cosines with a
   * direction for each class.
   */
  readonly classifier?: 'linear' | 'cosine';
  /**
   * Whether sketches and photos share the statistics of batch normalization (if left out), or each are normalized by
   * their own. Scales and shifts are shared either way.
   */
  readonly batchNormDomains?: 'shared' | 'separate';
  /**
   * Classes of the teacher whose knowledge is to be preserved (1000 for ImageNet); 0 for a network without that head.
   */
  readonly teacherClasses: number;
}

/** The two kinds of images that the network embeds. */
export type ImageDomain = 'sketch' | 'photo';

/**
 * The domain whose statistics have names of their own, where there are two sets; photos have PyTorch's, since files of
 * others are of photos.
 */
const DOMAIN_OF_ITS_OWN: ImageDomain = 'sketch';
const OWN_STATISTIC = new RegExp(`\\.${DOMAIN_OF_ITS_OWN}\\.running_(mean|var)$`);

/** Whether the network has to be told which domain its images are of. */
export const separatesDomains = ({ batchNormDomains }: Pick<RetrievalNetworkSettings, 'batchNormDomains'>): boolean =>
  batchNormDomains === 'separate';

/**
 * A state for a network with other sets of statistics than the state has: where there is one set, both domains begin
 * with it; where there are two and one is wanted, that is the photos'.
 */
export function withStatisticsFor(settings: Pick<RetrievalNetworkSettings, 'batchNormDomains'>, state: State): State {
  const common = [...state].filter(([name]) => !OWN_STATISTIC.test(name));
  if (!separatesDomains(settings)) return new Map(common);
  const begun = common
    .filter(([name]) => /\.running_(mean|var)$/.test(name))
    .map(([name, tensor]): [string, StateTensor] => [
      name.replace(/\.(running_\w+)$/, `.${DOMAIN_OF_ITS_OWN}.$1`),
      tensor,
    ]);
  return new Map([...begun, ...state]);
}

/** What one pass over a batch gives. */
export interface RetrievalOutputs {
  /** [batch, features], after the global average pool. */
  readonly features: Tensor;
  /** [batch, embedding], of length 1: what is searched by. */
  readonly embeddings: Tensor;
  /** [batch, classes]; of a cosine classifier -1 to 1, to be divided by a temperature. */
  readonly classLogits: Tensor;
  /** [batch, teacher classes]; undefined without that head. */
  readonly teacherLogits: Tensor | undefined;
  readonly batchStatistics: BatchStatistics;
}

/**
 * The network of Tursun et al. (2022), shared by sketches and photos: a backbone, a linear embedding, and on the
 * embedding two linear heads, one for the classes that are trained on, one for the teacher's (method.md, Network).
 * Parameters: torchvision's names for the backbone, then embedding, classifier, teacher.
 */
export class RetrievalNetwork extends Network {
  readonly retrieval: RetrievalNetworkSettings;
  readonly backbone: Backbone;
  private readonly embedding: Linear;
  private readonly classifier: (encoded: Tensor, embeddings: Tensor) => Tensor;
  private readonly teacher: Linear | undefined;

  constructor(settings: RetrievalNetworkSettings) {
    super(settings, separatesDomains(settings) ? [DOMAIN_OF_ITS_OWN] : []);
    this.retrieval = settings;
    this.backbone = buildBackbone(this, settings);
    this.embedding = this.linear('embedding', this.backbone.features, settings.embedding);
    this.classifier = settings.classifier === 'cosine' ? this.cosineClassifier() : this.linearClassifier();
    this.teacher =
      settings.teacherClasses > 0 ? this.linear('teacher', settings.embedding, settings.teacherClasses) : undefined;
  }

  private linearClassifier(): (encoded: Tensor) => Tensor {
    const layer = this.linear('classifier', this.retrieval.embedding, this.retrieval.classes);
    return (encoded) => layer.apply(encoded);
  }

  /** The cosine of an embedding with each row of `classifier.weight`. */
  private cosineClassifier(): (encoded: Tensor, embeddings: Tensor) => Tensor {
    const { embedding, classes } = this.retrieval;
    const weight = this.table('classifier.weight', classes, embedding, {
      kind: 'uniform',
      bound: 1 / Math.sqrt(embedding),
    });
    return (_, embeddings) => linear(embeddings, transpose(l2Normalize(weight)));
  }

  /**
   * Embeddings and logits of images [batch, size, size, 4].
   * @param images [batch, size, size, 4], as prepareImages makes them @param domain of all of them, as in `encode`
   */
  apply(images: Tensor, mode: BatchNormMode, domain?: ImageDomain): RetrievalOutputs {
    const { features, encoded, batchStatistics } = this.encode(images, mode, { domain });
    return { features, batchStatistics, ...this.heads(encoded) };
  }

  /**
   * The first part of `apply`, which holds nearly all of its work: an image at a time, but for batch normalization.
   * @param options frozenStages: as BackboneOptions has it; domain: that of all images, which a network needs to know that
   * normalizes sketches and photos apart
   * @returns encoded [batch, embedding]
   * @throws RangeError where the domain is needed and not given
   */
  encode(
    images: Tensor,
    mode: BatchNormMode,
    { frozenStages = 0, domain }: { readonly frozenStages?: number; readonly domain?: ImageDomain } = {},
  ): Pick<RetrievalOutputs, 'features' | 'batchStatistics'> & { readonly encoded: Tensor } {
    if (domain === undefined && separatesDomains(this.retrieval))
      throw new RangeError(
        'the network normalizes sketches and photos apart, and the domain of these images was not given; encode the images of each domain in a call of their own',
      );
    const pass = new ForwardContext(this, mode, domain);
    const features = this.backbone.apply(pass, images, { frozenStages });
    return { features, encoded: this.embedding.apply(features), batchStatistics: pass.batchStatistics };
  }

  /** The second part of `apply`: what the losses see. @param encoded [batch, embedding] */
  heads(encoded: Tensor): Pick<RetrievalOutputs, 'embeddings' | 'classLogits' | 'teacherLogits'> {
    const embeddings = l2Normalize(encoded);
    return {
      embeddings,
      classLogits: this.classifier(encoded, embeddings),
      teacherLogits: this.teacher?.apply(encoded),
    };
  }
}

/** A backbone with torchvision's classifier `fc` on its features: for pre-training, and as a teacher. */
export class Classifier extends Network {
  readonly backbone: Backbone;
  private readonly fc: Linear;

  constructor(settings: Partial<BackboneSettings & NetworkSettings> & { readonly classes: number }) {
    super(settings);
    this.backbone = buildBackbone(this, settings);
    this.fc = this.linear('fc', this.backbone.features, settings.classes);
  }

  get features(): number {
    return this.backbone.features;
  }

  /** @returns logits [batch, classes] and the batch's statistics */
  apply(
    images: Tensor,
    mode: BatchNormMode,
  ): { readonly logits: Tensor; readonly features: Tensor; readonly batchStatistics: BatchStatistics } {
    const pass = new ForwardContext(this, mode);
    const features = this.backbone.apply(pass, images);
    return { features, logits: this.fc.apply(features), batchStatistics: pass.batchStatistics };
  }
}
