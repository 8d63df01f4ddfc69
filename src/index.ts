/**
 * sketchgrad as a library. Everything here is plain web-standard TypeScript: it takes a GPUDevice and ArrayBuffers, and runs
 * in Node, in Deno and in browsers. What opens a device or reads files stands in `src/platform` and `datasets`.
 */

// The engine: a device, symbolic tensors, gradients, programs.
export { Device } from './gpu/device.ts';
export { AdapterError, DeviceLostError, LimitError, ShaderError, ValidationError } from './gpu/errors.ts';
export { constant, input, ShapeError, type Shape, type Tensor } from './autodiff/tensor.ts';
export { Store } from './autodiff/store.ts';
export { Storage } from './autodiff/storage.ts';
export { gradient } from './autodiff/gradient.ts';
export { describeMemory, MemoryBudgetError, type DeviceMemory, type MemoryReport } from './autodiff/memory.ts';
export { Program, type Feeds, type ProgramOptions, type Results } from './autodiff/program.ts';

// Variants of kernels: which are right here, and which is fastest.
export { type Chooser, type Choices, type Question } from './autodiff/choices.ts';
export { parseRecords, serializeRecords, type TuningEffort, type TuningRecords } from './tuning/records.ts';
export { QualificationError, Tuner, type TunerOptions } from './tuning/tuner.ts';

// Ops, for networks of one's own.
export { add } from './autodiff/ops/add.ts';
export { batchNorm } from './autodiff/ops/batch-norm.ts';
export { bias } from './autodiff/ops/bias.ts';
export { convolution, linear } from './autodiff/ops/convolution.ts';
export { l2Normalize } from './autodiff/ops/l2-normalize.ts';
export { quadrupletLoss, softmaxCrossEntropy } from './autodiff/ops/losses.ts';
export { multiply, relu } from './autodiff/ops/pointwise.ts';
export { globalAveragePool, maxPool } from './autodiff/ops/pooling.ts';
export { prepareImages } from './autodiff/ops/prepare-images.ts';
export { mean, sum } from './autodiff/ops/reduce.ts';
export { reshape } from './autodiff/ops/reshape.ts';
export { concatenate, selectRows } from './autodiff/ops/rows.ts';
export { scale, scaleBy } from './autodiff/ops/scale.ts';

// Networks, their weights, optimisers.
export { Network, Pass, type BatchNormMode, type NetworkSettings } from './nn/layers.ts';
export { adamSettings, sgdSettings, trainingUpdate, type OptimizerSettings, type ParameterGroup } from './nn/optimizers.ts';
export { ResNet50, type ResNet50Settings } from './nn/resnet.ts';
export { Classifier, RetrievalNetwork, type RetrievalNetworkSettings } from './nn/retrieval-network.ts';
export { describeInitial, initializeNetwork, readState, StateMismatchError, writeState, type LoadReport, type State } from './nn/state.ts';
export { describeInputConvention, IMAGENET_PIXELS, INPUT_CONVENTIONS, InputConventionError, parseInputConvention, pixelNormalization, type InputConvention, type PixelNormalization } from './nn/pixels.ts';
export { readPretrainedResNet50, type PretrainedOptions, type PretrainedResNet50 } from './nn/pretrained.ts';
export { retrievalOnnx, type RetrievalOnnxOptions } from './nn/retrieval-onnx.ts';

// Data: what a data set is, batches, augmentation.
export { DEFAULT_AUGMENTATION, type Augmentation } from './data/augmentation.ts';
export { checkDataset, DatasetError, type Dataset, type ImageSource, type Sample } from './data/dataset.ts';
export { batches, inOrder, type TrainingBatch } from './data/loader.ts';
export { balancedSampler, shuffledSampler, type Sampler } from './data/sampler.ts';

// Training, from a whole run down to its parts.
export { PAPER_RECIPE, stepsPerEpoch, trainRetrieval, type LogEntry, type RetrievalTraining, type TrainedRetrieval, type TrainRetrievalOptions } from './training/run.ts';
export { CheckpointError, modelChecksum, parseModel, serializeModel, type ModelFile } from './training/checkpoint.ts';
export { parseWeights, type StartingWeights } from './training/weights.ts';
export { classificationObjective, imageInput, retrievalObjective, type Objective, type RetrievalLosses } from './training/objectives.ts';
export { classKnowledge, retrievalStateFrom } from './training/knowledge.ts';
export { learningRateAt, type Schedule } from './training/schedule.ts';
export { NonFiniteError, Trainer, type StepReport, type TrainerOptions } from './training/trainer.ts';

// Retrieval: embeddings, search, metrics.
export { modelEmbeddings, openRetrievalModel, readModelDescription, type ImageRows, type NetworkInput, type RetrievalModel } from './training/model.ts';
export { evaluateNetwork, unseenTask, validationTask, type Evaluation, type RetrievalTask } from './training/evaluation.ts';
export { evaluateRetrieval, rankGallery, RetrievalError, type RetrievalMetrics } from './retrieval/metrics.ts';
export { assertSameModel, IndexFileError, IndexModelMismatchError, openIndex, serializeIndex, type RetrievalIndex } from './retrieval/index-file.ts';

// Files.
export { parseSafetensors, SafetensorsError, serializeSafetensors } from './formats/safetensors.ts';
export { PyTorchFileError } from './formats/pytorch.ts';
export { floatsOf, parseTensorFile, TensorFileError, type FileTensor, type TensorFile } from './formats/tensor-file.ts';
export { serializeOnnx, type OnnxModel } from './formats/onnx.ts';
