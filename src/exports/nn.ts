/** Networks, their weights, optimizers. @module sketchgrad/nn */

export { Network, type BatchNorm, type Linear, type NetworkSettings, type RunningStatistics } from '../nn/layers.ts';
export { ForwardContext, type BatchNormMode, type BatchStatistics } from '../nn/forward-context.ts';
export { type Layout } from '../nn/file-layout.ts';
export { DEFAULT_LOSS_SCALING, type LossScale, type LossScaling } from '../nn/loss-scaling.ts';
export {
  adamSettings,
  OPTIMIZERS,
  optimizerSettings,
  sgdSettings,
  type Hyperparameters,
  type OptimizerKind,
  type OptimizerSettings,
} from '../nn/optimizers/index.ts';
export type { ArenaTensor } from '../../kernels/optimizer/tensor-norms.ts';
export type { AdamHyperparameters } from '../nn/optimizers/adam.ts';
export type { LarsHyperparameters } from '../nn/optimizers/lars.ts';
export type { SgdHyperparameters } from '../nn/optimizers/sgd.ts';
export type { Optimizer, ParameterGroup, UpdateRange } from '../nn/optimizers/optimizer.ts';
export { TrainingStep } from '../nn/training-step.ts';
export { trainingUpdate, type TrainingUpdate } from '../nn/training-update.ts';
export {
  Backbone,
  type BackboneDefinition,
  type BackboneOptions,
  type BackboneShape,
  type ConvolutionLayer,
  type LayerEnd,
  type LayerOperations,
  type PoolingWindow,
  type TensorNaming,
} from '../nn/backbones/backbone.ts';
export {
  BACKBONES,
  buildBackbone,
  DEFAULT_BACKBONE,
  DEFAULT_BACKBONE_SHAPE,
  type BackboneName,
  type BackboneSettings,
} from '../nn/backbones/index.ts';
export {
  Classifier,
  RetrievalNetwork,
  type ImageDomain,
  type RetrievalNetworkSettings,
  type RetrievalOutputs,
} from '../nn/retrieval-network.ts';
export {
  describeInitial,
  initializeNetwork,
  nonFiniteTensors,
  readState,
  StateMismatchError,
  writeState,
  type LoadReport,
  type State,
  type StateTensor,
} from '../nn/state.ts';
export {
  describeInputConvention,
  IMAGENET_PIXELS,
  INPUT_CONVENTIONS,
  InputConventionError,
  parseInputConvention,
  pixelNormalization,
  type Color,
  type InputConvention,
  type PixelNormalization,
} from '../nn/pixels.ts';
export { readPretrainedWeights, type PretrainedOptions, type PretrainedWeights } from '../nn/pretrained.ts';
export { retrievalOnnx, type RetrievalOnnxOptions } from '../nn/retrieval-onnx.ts';
export { averageDecay, beginAverage, withWeightAverage, type WeightAverage } from '../nn/weight-average.ts';
