/** The engine: a device, symbolic tensors, gradients, programs; which variants of kernels run; ops; file formats. `sketchgrad/engine` in the package. */

// The engine: a device, symbolic tensors, gradients, programs.
export { Device } from '../gpu/device.ts';
export { AdapterError, DeviceLostError, FeatureError, LimitError, ShaderError, ValidationError } from '../gpu/errors.ts';
export { constant, input, ShapeError, type Shape, type Tensor } from '../autodiff/tensor.ts';
export { Store } from '../autodiff/store.ts';
export { Storage } from '../autodiff/storage.ts';
export { initializeStore } from '../autodiff/initialize.ts';
export { gradient } from '../autodiff/gradient.ts';
export { describeMemory, MemoryBudgetError, type DeviceMemory, type MemoryReport } from '../autodiff/memory.ts';
export { Program, type Feeds, type ProgramOptions, type Results } from '../autodiff/program.ts';

// Variants of kernels: which are right here, and which is fastest.
export { type Chooser, type Choices, type Question } from '../autodiff/choices.ts';
export { parseRecords, serializeRecords, type TuningEffort, type TuningRecords } from '../tuning/records.ts';
export { QualificationError, Tuner, type TunerOptions } from '../tuning/tuner.ts';

// Ops, for networks of one's own.
export { add } from '../autodiff/ops/add.ts';
export { batchNorm } from '../autodiff/ops/batch-norm.ts';
export { bias } from '../autodiff/ops/bias.ts';
export { cast } from '../autodiff/ops/cast.ts';
export { convolution, linear } from '../autodiff/ops/convolution.ts';
export { l2Normalize } from '../autodiff/ops/l2-normalize.ts';
export { quadrupletLoss, softmaxCrossEntropy } from '../autodiff/ops/losses.ts';
export { multiply, relu } from '../autodiff/ops/pointwise.ts';
export { globalAveragePool, maxPool } from '../autodiff/ops/pooling.ts';
export { prepareImages } from '../autodiff/ops/prepare-images.ts';
export { mean, sum } from '../autodiff/ops/reduce.ts';
export { reshape } from '../autodiff/ops/reshape.ts';
export { concatenate, scatterRows, selectRows } from '../autodiff/ops/rows.ts';
export { scale, scaleBy } from '../autodiff/ops/scale.ts';
export { softmax } from '../autodiff/ops/softmax.ts';
export { transpose } from '../autodiff/ops/transpose.ts';

// Files.
export { parseSafetensors, SafetensorsError, serializeSafetensors } from '../formats/safetensors.ts';
export { PyTorchFileError } from '../formats/pytorch.ts';
export { floatsOf, parseTensorFile, TensorFileError, type FileTensor, type TensorFile } from '../formats/tensor-file.ts';
export { serializeOnnx, type OnnxModel } from '../formats/onnx.ts';
