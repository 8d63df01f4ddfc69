/** Networks, their weights, optimisers. `sketchgrad/nn` in the package. */

export { Network, Pass, type BatchNormMode, type NetworkSettings } from '../nn/layers.ts';
export { adamSettings, DEFAULT_LOSS_SCALING, sgdSettings, trainingUpdate, type LossScaling, type OptimizerSettings, type ParameterGroup } from '../nn/optimizers.ts';
export { ResNet50, type ResNet50Settings } from '../nn/resnet.ts';
export { Classifier, RetrievalNetwork, type RetrievalNetworkSettings } from '../nn/retrieval-network.ts';
export { describeInitial, initializeNetwork, readState, StateMismatchError, writeState, type LoadReport, type State } from '../nn/state.ts';
export { describeInputConvention, IMAGENET_PIXELS, INPUT_CONVENTIONS, InputConventionError, parseInputConvention, pixelNormalization, type InputConvention, type PixelNormalization } from '../nn/pixels.ts';
export { readPretrainedResNet50, type PretrainedOptions, type PretrainedResNet50 } from '../nn/pretrained.ts';
export { retrievalOnnx, type RetrievalOnnxOptions } from '../nn/retrieval-onnx.ts';
