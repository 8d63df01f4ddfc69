import type { Wait } from './wait.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { compilePipeline, pipelineKey } from './compile-pipeline.ts';

/** A pipeline that is being made, and a dispatch of it. */
export interface MadePipeline {
  readonly pipeline: Promise<GPUComputePipeline>;
  readonly dispatch: Dispatch;
}

/**
 * Has a driver compile what it would otherwise compile at the first dispatch; `onProgress` hears of each pipeline. It is
 * given each pipeline once.
 */
export type FinishPipelines = (
  gpu: GPUDevice,
  made: readonly MadePipeline[],
  onProgress?: (done: number, total: number) => void,
) => Promise<void>;

/**
 * Compute pipelines by source and entry point: each is compiled once, asynchronously, and all of a list in parallel.
 */
export class PipelineCache {
  private readonly gpu: GPUDevice;
  private readonly wait: Wait;
  private readonly finish: FinishPipelines | undefined;
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();
  private readonly finished = new Set<Promise<GPUComputePipeline>>();

  constructor(gpu: GPUDevice, wait: Wait = (work) => work, finish?: FinishPipelines) {
    this.gpu = gpu;
    this.wait = wait;
    this.finish = finish;
  }

  get(dispatch: Dispatch): Promise<GPUComputePipeline> {
    const key = pipelineKey(dispatch);
    let pipeline = this.pipelines.get(key);
    if (pipeline === undefined) {
      pipeline = compilePipeline(this.gpu, dispatch);
      this.pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /**
   * Compiles all that a list of dispatches needs; `onProgress` hears of each one that is ready. Rejects with what it
   * throws.
   */
  async getAll(
    dispatches: readonly Dispatch[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<GPUComputePipeline[]> {
    // The longest shaders take the longest to compile. They come first, so that no processor waits for another at the end.
    const longestFirst = [...new Map(dispatches.map((dispatch) => [pipelineKey(dispatch), dispatch])).values()].sort(
      (a, b) => pipelineKey(b).length - pipelineKey(a).length,
    );
    const distinct = new Map(longestFirst.map((dispatch) => [this.get(dispatch), dispatch]));
    const pending = dispatches.map((dispatch) => this.get(dispatch));
    let done = 0;
    // The listener is the caller's: what it throws is awaited with the rest, and rejects this call.
    const finishing =
      this.finish === undefined
        ? [...distinct.keys()].map((pipeline) => pipeline.then(() => onProgress?.(++done, distinct.size)))
        : [this.finishOnce(this.finish, distinct, onProgress)];
    const [pipelines] = await this.wait(Promise.all([Promise.all(pending), ...finishing]));
    return pipelines;
  }

  private async finishOnce(
    finish: FinishPipelines,
    pipelines: ReadonlyMap<Promise<GPUComputePipeline>, Dispatch>,
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    const open = [...pipelines].filter(([pipeline]) => !this.finished.has(pipeline));
    for (const [pipeline] of open) this.finished.add(pipeline);
    const before = pipelines.size - open.length;
    for (let done = 1; done <= before; done++) onProgress?.(done, pipelines.size);
    await finish(
      this.gpu,
      open.map(([pipeline, dispatch]) => ({ pipeline, dispatch })),
      (done) => onProgress?.(before + done, pipelines.size),
    );
  }
}
