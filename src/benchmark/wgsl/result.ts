import type { AdapterDescription } from '../../gpu/device.ts';
import type { Occupancy } from '../occupancy.ts';
import type { Bound } from '../roofline.ts';
import type { OverrideValues } from './interface.ts';

/** The word in a result's `format` field. */
export const RESULT_FORMAT = 'sketchgrad kernel benchmark';
/** Raised when a field changes its meaning or goes; new fields do not raise it. docs/benchmark.schema.json has the schema. */
export const RESULT_VERSION = 1;

/** What `benchmarkWgsl` measured, as `sketchgrad bench --json` prints it. */
export interface WgslBenchmarkResult {
  readonly format: typeof RESULT_FORMAT;
  readonly version: typeof RESULT_VERSION;
  /** ISO 8601. */
  readonly date: string;
  /** Such as Node v20.20.2 or Chromium 147.0; the command adds it. */
  readonly runtime?: string;
  readonly adapter: AdapterDescription & { readonly kind: 'gpu' | 'cpu' };
  readonly clock: {
    /** Whether samples are differences of the device's timestamps or of the host's clock. */
    readonly kind: 'device' | 'wall';
    /** The step of the timestamps in nanoseconds: all were multiples of it. 0 without timestamps. */
    readonly quantumNanoseconds: number;
  };
  /** What the adapter gave in the same run; absent where it was not measured. */
  readonly ceilings?: MeasuredCeilings;
  readonly kernels: readonly KernelResult[];
  /** Each file against the first, with equal override constants; empty where there is one file. */
  readonly comparisons: readonly KernelComparison[];
}

/** Peaks of the adapter, by kernels of sketchgrad. */
export interface MeasuredCeilings {
  /** GFLOP/s of float32 multiply-adds, two operations each. */
  readonly gigaflops: number;
  /** GB/s of a copying kernel, read and written. */
  readonly gigabytes: number;
  /** Milliseconds that one more dispatch of nearly no work takes in the same pass. */
  readonly dispatch: number;
  /** Milliseconds from a submission until the host knows that it is done. */
  readonly submitAndWait: number;
}

/** One file with one set of override constants. */
export interface KernelResult {
  /** File, entry point and override constants: the label of pipeline, pass and bind group too. */
  readonly label: string;
  readonly file: string;
  readonly entryPoint: string;
  readonly overrides: OverrideValues;
  readonly workgroups: readonly [number, number, number];
  readonly workgroupSize: readonly [number, number, number];
  readonly workgroupBytes: number;
  readonly bindings: readonly {
    readonly name: string;
    readonly group: number;
    readonly binding: number;
    readonly usage: 'uniform' | 'read' | 'read_write';
    readonly type: string;
    readonly bytes: number;
  }[];
  /** Milliseconds until the pipeline was there; some drivers compile at the first dispatch. */
  readonly compileMilliseconds: number;
  /** Milliseconds of the first dispatch, submission included. */
  readonly firstDispatchMilliseconds: number;
  /** Dispatches in each sample. */
  readonly repeats: number;
  /** Milliseconds of one dispatch, in the order in which they were taken. */
  readonly samples: readonly number[];
  readonly median: number;
  /** Half the distance between the quartiles. */
  readonly spread: number;
  readonly fastest: number;
  readonly slowest: number;
  /** Of a dispatch, as given. */
  readonly flops?: number;
  /** Of a dispatch: given, or each bound byte once. */
  readonly bytes: number;
  readonly bytesAre: 'given' | 'bound';
  readonly gigaflops?: number;
  readonly gigabytes: number;
  /** Share of the roofline's limit that the median reaches; absent without ceilings. */
  readonly rooflineShare?: number;
  /** What bounds it; `arithmetic or latency` where no operations are given and neither memory nor launch explains it. */
  readonly bound?: Bound | 'arithmetic or latency';
  readonly occupancy: readonly Occupancy[];
  readonly check?: CheckResult;
}

/** How a kernel's results compare with those of a CPU function. */
export interface CheckResult {
  readonly passed: boolean;
  readonly outputs: readonly {
    readonly name: string;
    /** Elements beyond the tolerance. */
    readonly wrong: number;
    readonly elements: number;
    /** The element that is furthest from what was expected, in terms of what is allowed. */
    readonly worst: {
      readonly index: number;
      readonly got: number;
      readonly expected: number;
      readonly allowed: number;
    };
  }[];
}

/** How many times the time of `baseline` the time of `candidate` is. */
export interface KernelComparison {
  readonly baseline: string;
  readonly candidate: string;
  /** Hodges-Lehmann estimate. */
  readonly ratio: number;
  /** Confidence interval of the Mann-Whitney test; null where it has no end, with fewer than five samples. */
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence: number;
}
