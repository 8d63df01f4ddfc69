/**
 * The engine: a device, symbolic tensors, gradients, programs; which variants of kernels run; ops and kernels; file
 * formats. @module sketchgrad/engine
 */

// The engine: a device, symbolic tensors, gradients, programs.
export { Device, type AdapterDescription } from '../gpu/device.ts';
export type { Wait } from '../gpu/wait.ts';
export type { FinishPipelines, MadePipeline } from '../gpu/pipelines.ts';
export {
  AdapterError,
  DeviceLostError,
  FeatureError,
  LimitError,
  ShaderError,
  ValidationError,
} from '../gpu/errors.ts';
export type { HostValues } from '../gpu/host-values.ts';
export type { Span } from '../gpu/profiler.ts';
export {
  constant,
  GradientError,
  IndexError,
  input,
  ShapeError,
  type GraphNode,
  type Origin,
  type Shape,
  type Tensor,
} from '../autodiff/tensor.ts';
export { ParameterStore, type Initial, type StoredTensor } from '../autodiff/tensor.ts';
export { DeviceStorage } from '../autodiff/device-storage.ts';
export { initializeStore } from '../autodiff/initialize.ts';
export { gradient } from '../autodiff/gradient.ts';
export { describeMemory, MemoryBudgetError, type DeviceMemory, type MemoryReport } from '../autodiff/memory.ts';
export type { Recomputed } from '../autodiff/plan-types.ts';
export { Program, type Arena, type Feeds, type ProgramOptions, type Results } from '../autodiff/program.ts';

// Variants of kernels: which are right here, and which is fastest.
export type { VariantSelector, Choices, TuningProblem } from '../autodiff/variant-selector.ts';
export {
  parseRecords,
  serializeRecords,
  TUNING_EFFORTS,
  type ChoiceRecord,
  type TuningEffort,
  type TuningRecords,
} from '../tuning/records.ts';
export type { TuningTable } from '../tuning/tables.ts';
export { QualificationError, Tuner, type TunerOptions } from '../tuning/tuner.ts';

// Ops, for your own networks: every export of src/autodiff/ops without @internal in its comment. `npm run generate` writes
// the list (scripts/collect-declarations.mjs).
export * from '../autodiff/generated/ops.ts';
export { cast } from '../autodiff/op.ts';
export type { Derivative, PointwiseFunction } from '../../kernels/elementwise/pointwise.ts';
export type { MaxPoolProblem } from '../../kernels/pooling/max-pool.ts';
export type { PrepareImagesProblem } from '../../kernels/image/prepare-images.ts';

// The parts of your own ops and kernels.
export {
  apply,
  applyNode,
  COUNTED_ELSEWHERE,
  use,
  type GradientRule,
  type IndexUse,
  type KernelUse,
  type Op,
  type Pin,
  type TensorType,
} from '../autodiff/op.ts';
export {
  exact,
  sumError,
  type AnyKernel,
  type Cost,
  type Expected,
  type Kernel,
  type KernelCall,
  type Operand,
  type PartialCall,
  type Role,
  type Values,
} from '../../kernels/kernel.ts';
export type { AdapterTraits, MatrixProduct, MatrixUnits } from '../../kernels/contract/adapter-traits.ts';
export {
  f32,
  type Dispatch,
  type Shader,
  type ShaderFeature,
  type Slices,
  type SliceWindow,
  type SliceWindows,
  type Word,
} from '../../kernels/contract/dispatch.ts';
export type { ElementType, FloatType } from '../../kernels/contract/element-types.ts';
export { foldGrid } from '../../kernels/contract/grid.ts';
export { sliceable } from '../../kernels/contract/slices.ts';

// Files.
export { BoundedError } from '../formats/untrusted.ts';
export {
  parseSafetensors,
  SafetensorsError,
  type Dtype,
  type SafetensorsFile,
  type StoredTensor as SafetensorsTensor,
} from '../formats/safetensors.ts';
export { serializeSafetensors, type TensorToStore } from '../formats/safetensors-writer.ts';
export { PyTorchFileError } from '../formats/pytorch.ts';
export { isShardIndex, parseShards } from '../formats/sharded.ts';
export {
  floatsOf,
  parseTensorFile,
  TensorFileError,
  type FileTensor,
  type TensorFile,
} from '../formats/tensor-file.ts';
export {
  OnnxError,
  serializeOnnx,
  type OnnxAttribute,
  type OnnxConstant,
  type OnnxModel,
  type OnnxNode,
  type OnnxValue,
} from '../formats/onnx.ts';
