import { l2Normalize } from '../autodiff/ops/l2-normalize.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import { Network, Pass, type BatchNormMode, type BatchStatistics, type Linear, type NetworkSettings } from './layers.ts';
import { ResNet50, type ResNet50Settings } from './resnet.ts';

export interface RetrievalNetworkSettings extends ResNet50Settings, NetworkSettings {
  /** Components of an embedding. */
  readonly embedding: number;
  /** Classes that are trained on. */
  readonly classes: number;
  /** Classes of the teacher whose knowledge is to be preserved (1000 for ImageNet); 0 for a network without that head. */
  readonly teacherClasses: number;
}

/** What one pass over a batch gives. */
export interface RetrievalOutputs {
  /** [batch, features], after the global average pool. */
  readonly features: Tensor;
  /** [batch, embedding], of length 1: what is searched by. */
  readonly embeddings: Tensor;
  /** [batch, classes]. */
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
  private readonly classifier: Linear;
  private readonly teacher: Linear | undefined;

  constructor(settings: RetrievalNetworkSettings) {
    super(settings);
    this.retrieval = settings;
    this.trunk = new ResNet50(this, settings);
    this.embedding = this.linear('embedding', this.trunk.features, settings.embedding);
    this.classifier = this.linear('classifier', settings.embedding, settings.classes);
    this.teacher = settings.teacherClasses > 0 ? this.linear('teacher', settings.embedding, settings.teacherClasses) : undefined;
  }

  /** @param images [batch, size, size, 4], as prepareImages makes them */
  apply(images: Tensor, mode: BatchNormMode): RetrievalOutputs {
    const pass = new Pass(this, mode);
    const features = this.trunk.apply(pass, images);
    const embedded = this.embedding.apply(features);
    return {
      features,
      embeddings: l2Normalize(embedded),
      classLogits: this.classifier.apply(embedded),
      teacherLogits: this.teacher?.apply(embedded),
      batchStatistics: pass.batchStatistics,
    };
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
