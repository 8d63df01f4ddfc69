import { linear } from '../autodiff/ops/convolution.ts';
import { l2Normalize } from '../autodiff/ops/l2-normalize.ts';
import { transpose } from '../autodiff/ops/transpose.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import { Network, Pass, type BatchNormMode, type BatchStatistics, type Linear, type NetworkSettings } from './layers.ts';
import { ResNet50, type ResNet50Settings } from './resnet.ts';

export interface RetrievalNetworkSettings extends ResNet50Settings, NetworkSettings {
  /** Components of an embedding. */
  readonly embedding: number;
  /** Classes that are trained on. */
  readonly classes: number;
  /** What the logits of the trained classes are: a linear layer's on the embedding (if left out), or cosines with a direction for each class. */
  readonly classifier?: 'linear' | 'cosine';
  /** Classes of the teacher whose knowledge is to be preserved (1000 for ImageNet); 0 for a network without that head. */
  readonly teacherClasses: number;
}

/** Names of ResNet50's own parameters, the rest being heads. */
export const TRUNK_PARAMETER = /^(conv1|bn1|layer\d)\./;

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
 * The network of Tursun et al. (2022), shared by sketches and photos: ResNet50, a linear embedding, and on the embedding two
 * linear heads, one for the classes that are trained on, one for the teacher's (method.md, Network).
 * Parameters: torchvision's names for the trunk, then embedding, classifier, teacher.
 */
export class RetrievalNetwork extends Network {
  readonly retrieval: RetrievalNetworkSettings;
  readonly trunk: ResNet50;
  private readonly embedding: Linear;
  private readonly classifier: (encoded: Tensor, embeddings: Tensor) => Tensor;
  private readonly teacher: Linear | undefined;

  constructor(settings: RetrievalNetworkSettings) {
    super(settings);
    this.retrieval = settings;
    this.trunk = new ResNet50(this, settings);
    this.embedding = this.linear('embedding', this.trunk.features, settings.embedding);
    this.classifier = settings.classifier === 'cosine' ? this.cosineClassifier() : this.linearClassifier();
    this.teacher = settings.teacherClasses > 0 ? this.linear('teacher', settings.embedding, settings.teacherClasses) : undefined;
  }

  private linearClassifier(): (encoded: Tensor) => Tensor {
    const layer = this.linear('classifier', this.retrieval.embedding, this.retrieval.classes);
    return (encoded) => layer.apply(encoded);
  }

  /** The cosine of an embedding with each row of `classifier.weight`. */
  private cosineClassifier(): (encoded: Tensor, embeddings: Tensor) => Tensor {
    const { embedding, classes } = this.retrieval;
    const weight = this.table('classifier.weight', classes, embedding, { kind: 'uniform', bound: 1 / Math.sqrt(embedding) });
    return (_, embeddings) => linear(embeddings, transpose(l2Normalize(weight)));
  }

  /** @param images [batch, size, size, 4], as prepareImages makes them */
  apply(images: Tensor, mode: BatchNormMode): RetrievalOutputs {
    const { features, encoded, batchStatistics } = this.encode(images, mode);
    return { features, batchStatistics, ...this.heads(encoded) };
  }

  /** The first part of `apply`, which holds nearly all of its work: an image at a time, but for batch normalisation. @param frozenStages as TrunkOptions has it @returns encoded [batch, embedding] */
  encode(images: Tensor, mode: BatchNormMode, frozenStages = 0): Pick<RetrievalOutputs, 'features' | 'batchStatistics'> & { readonly encoded: Tensor } {
    const pass = new Pass(this, mode);
    const features = this.trunk.apply(pass, images, { frozenStages });
    return { features, encoded: this.embedding.apply(features), batchStatistics: pass.batchStatistics };
  }

  /** The second part of `apply`: what the losses see. @param encoded [batch, embedding] */
  heads(encoded: Tensor): Pick<RetrievalOutputs, 'embeddings' | 'classLogits' | 'teacherLogits'> {
    const embeddings = l2Normalize(encoded);
    return { embeddings, classLogits: this.classifier(encoded, embeddings), teacherLogits: this.teacher?.apply(encoded) };
  }
}

/** ResNet50 with torchvision's classifier `fc` on its features: for pre-training, and as a teacher. */
export class Classifier extends Network {
  private readonly trunk: ResNet50;
  private readonly fc: Linear;

  constructor(settings: Partial<ResNet50Settings & NetworkSettings> & { readonly classes: number }) {
    super(settings);
    this.trunk = new ResNet50(this, settings);
    this.fc = this.linear('fc', this.trunk.features, settings.classes);
  }

  get features(): number {
    return this.trunk.features;
  }

  /** @returns logits [batch, classes] and the batch's statistics */
  apply(images: Tensor, mode: BatchNormMode): { readonly logits: Tensor; readonly features: Tensor; readonly batchStatistics: BatchStatistics } {
    const pass = new Pass(this, mode);
    const features = this.trunk.apply(pass, images);
    return { features, logits: this.fc.apply(features), batchStatistics: pass.batchStatistics };
  }
}
