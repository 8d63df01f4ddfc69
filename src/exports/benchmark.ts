/** Timing of anybody's WGSL compute kernels: `benchmarkWgsl`, and what it is made of. @module sketchgrad/benchmark */

export {
  benchmarkWgsl,
  type TimelineEntry,
  type WgslBenchmarkOptions,
  type WgslBenchmarkRun,
} from '../benchmark/wgsl/benchmark.ts';
export { BenchmarkError } from '../benchmark/wgsl/error.ts';
export type { OverrideValues, ScalarType } from '../benchmark/wgsl/interface.ts';
export type { Numbers, WgslSource, WgslValues } from '../benchmark/wgsl/prepared-kernel.ts';
export type {
  CheckResult,
  KernelComparison,
  KernelResult,
  MeasuredCeilings,
  WgslBenchmarkResult,
} from '../benchmark/wgsl/result.ts';
export { RESULT_FORMAT, RESULT_VERSION } from '../benchmark/wgsl/result.ts';
export { benchmarkTrace } from '../benchmark/wgsl/trace.ts';
export type { BufferContent, Fill, UniformContent } from '../benchmark/wgsl/values.ts';
export type { Trace, TraceEvent } from '../benchmark/chrome-trace.ts';
export { measureCeilings, type Ceilings, type RooflineVariants } from '../benchmark/ceilings.ts';
export type { Occupancy } from '../benchmark/occupancy.ts';
export type { Bound, Ceiling } from '../benchmark/roofline.ts';
export {
  sampleAlternating,
  type Clock,
  type Contender,
  type Sampled,
  type SamplingOptions,
} from '../benchmark/sampling.ts';
export { ratioOf, type RatioEstimate } from '../benchmark/statistics.ts';
