export type * from './names.ts';
import type { AdapterTraits, MatrixProduct, MatrixUnits } from '../../kernels/contract/adapter-traits.ts';
import { AdapterError, DeviceLostError, DisposedError, LimitError, ValidationError } from './errors.ts';
import { PipelineCache, type FinishPipelines } from './pipelines.ts';
import type { Wait } from './wait.ts';

const SOFTWARE_ADAPTERS = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

/** Which adapter this is, in the words of its driver. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

/** Milliseconds. */
const LOSS_ANNOUNCED_WITHIN = 100;

/**
 * A GPUDevice with what the engine needs around it: traits for the choice of kernels, the pipeline cache, and the first
 * error that arrived outside any call (validation, memory, loss), which the next call throws.
 *
 * Who owns it: `Device.open` makes the GPUDevice, and `dispose` destroys it. `new Device(gpu)` is a guest on a
 * GPUDevice of somebody else: `dispose` gives back the guest's own buffers only, and the guest hears of no errors but
 * those of its own calls.
 */
export class Device {
  readonly gpu: GPUDevice;
  readonly description: AdapterDescription;
  readonly traits: AdapterTraits;
  /** @internal */
  readonly pipelines: PipelineCache;
  private readonly hostWait: Wait;
  private failure: Error | undefined;
  private readonly buffers = new Set<GPUBuffer>();
  private noting: Promise<unknown> = Promise.resolve();
  private disposed = false;
  /** Destroys the GPUDevice, where it is this object's own. */
  private destroyGpu: (() => void) | undefined;

  /** Wraps a device that was made elsewhere, such as one that a page already draws with; it stays its maker's. */
  constructor(
    gpu: GPUDevice,
    info: GPUAdapterInfo = gpu.adapterInfo,
    wait: Wait = (work) => work,
    finish?: FinishPipelines,
  ) {
    this.gpu = gpu;
    this.hostWait = wait;
    this.description = {
      vendor: info.vendor,
      architecture: info.architecture,
      device: info.device,
      description: info.description,
    };
    const oneSize = gpu.features.has('subgroups') && info.subgroupMinSize === info.subgroupMaxSize;
    this.traits = {
      kind: isSoftware(info) ? 'cpu' : 'gpu',
      subgroupSize: oneSize ? (info.subgroupMinSize ?? 0) : 0,
      f16: gpu.features.has('shader-f16'),
      matrixUnits: gpu.features.has(MATRIX_FEATURE) ? matrixUnitsOf(info) : undefined,
      maxWorkgroupInvocations: gpu.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupStorageBytes: gpu.limits.maxComputeWorkgroupStorageSize,
      maxWorkgroupsPerDimension: gpu.limits.maxComputeWorkgroupsPerDimension,
    };
    this.pipelines = new PipelineCache(gpu, (work) => this.wait(work), finish);
    void gpu.lost.then((info) => {
      this.failure = new DeviceLostError(info.reason ?? 'unknown', info.message);
    });
  }

  /**
   * Opens a device with all that the adapter has: its own limits, not WebGPU's defaults, and the features kernels use.
   */
  static async open(adapter: GPUAdapter, wait?: Wait, finish?: FinishPipelines): Promise<Device> {
    if (/null backend/i.test(`${adapter.info.description} ${adapter.info.device}`)) {
      throw new AdapterError('the only adapter is the null backend, which computes nothing');
    }
    const device = new Device(await requestGpuDevice(adapter), adapter.info, wait, finish);
    const { gpu } = device;
    const heard = (event: GPUUncapturedErrorEvent): void => {
      device.failure ??= new ValidationError(event.error.message);
    };
    gpu.addEventListener('uncapturederror', heard);
    device.destroyGpu = () => {
      gpu.removeEventListener('uncapturederror', heard as EventListener);
      gpu.destroy();
    };
    return device;
  }

  /**
   * Throws the first failure that arrived since the last check; the loss of the device stays.
   * @throws DisposedError after `dispose`
   */
  check(): void {
    this.checkDisposed();
    const failure = this.failure;
    if (failure === undefined) return;
    if (!(failure instanceof DeviceLostError)) this.failure = undefined;
    throw failure;
  }

  private checkDisposed(): void {
    if (this.disposed)
      throw new DisposedError('the device was disposed of, and what was on it with it. Open another one.');
  }

  /**
   * All waiting for the device's work goes through this. Where the device is lost meanwhile, that is the error,
   * whatever the implementation makes of it: Dawn hands out pipelines that are not valid, Chromium rejects with
   * "Instance dropped" when its GPU process ends, wgpu refuses a mapping and announces the loss a few turns later.
   * @throws DeviceLostError, DisposedError, or what the work itself was rejected with
   */
  async wait<Result>(work: Promise<Result>): Promise<Result> {
    let result: Result;
    try {
      result = await this.hostWait(work);
    } catch (error) {
      this.checkDisposed();
      await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, LOSS_ANNOUNCED_WITHIN))]);
      this.check();
      throw error;
    }
    if (this.failure instanceof DeviceLostError) this.check();
    return result;
  }

  /** The current failure, without throwing or clearing it. */
  get failed(): Error | undefined {
    return this.failure;
  }

  /**
   * Makes GPU calls inside error scopes of their own: their errors are told apart from those of others who use the
   * GPUDevice, whichever scopes these have open. Only what is called synchronously is inside.
   * @returns what the calls gave; and a promise of their error, which the caller must look at
   */
  scoped<Result>(calls: () => Result): { readonly result: Result; readonly failure: Promise<Error | undefined> } {
    const { gpu } = this;
    gpu.pushErrorScope('validation');
    gpu.pushErrorScope('out-of-memory');
    const close = (): Promise<Error | undefined> => {
      const failure = Promise.all([gpu.popErrorScope(), gpu.popErrorScope()]).then(([memory, invalid]) => {
        if (memory !== null)
          return new LimitError(
            `the device is out of memory: ${memory.message}. Use a smaller batch, resolution or layer.`,
          );
        return invalid === null ? undefined : new ValidationError(invalid.message);
      });
      // Where the device is lost, that is told to who waits for its work.
      failure.catch(() => undefined);
      return failure;
    };
    try {
      const result = calls();
      return { result, failure: close() };
    } catch (error) {
      void close();
      throw error;
    }
  }

  /**
   * Makes GPU calls that end in a promise, and waits for it.
   * @throws DeviceLostError, DisposedError, ValidationError or LimitError; otherwise what the promise rejects with
   */
  async awaited<Result>(calls: () => Promise<Result>): Promise<Result> {
    const { result, failure } = this.scoped(calls);
    // Both are awaited, so that neither rejects unheard; what was wrong with the calls says more than what came of it.
    const [outcome, error] = await Promise.allSettled([this.wait(result), failure]);
    if (error.status === 'fulfilled' && error.value !== undefined) throw error.value;
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /** Makes GPU calls whose outcome is not awaited. Their error is thrown by the next check, after `undo`. */
  noted<Result>(calls: () => Result, undo?: () => void): Result {
    const { result, failure } = this.scoped(calls);
    this.noting = failure.then(
      (error) => {
        if (error === undefined) return;
        this.failure ??= error;
        undo?.();
      },
      () => undefined,
    );
    return result;
  }

  /** Waits until all submitted work is done. */
  async idle(): Promise<void> {
    this.checkDisposed();
    await this.wait(Promise.all([this.gpu.queue.onSubmittedWorkDone(), this.noting]));
    this.check();
  }

  /**
   * A buffer that is given back with the device, or by `freeBuffer` before.
   * @throws LimitError where the adapter has no buffers of that size, or no memory that can be mapped at once
   * @throws DisposedError after `dispose`
   */
  createBuffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    this.checkDisposed();
    const { maxBufferSize } = this.gpu.limits;
    if (descriptor.size > maxBufferSize) {
      throw new LimitError(
        `the buffer for ${descriptor.label ?? 'data'} has ${descriptor.size} bytes; this adapter's largest has ${maxBufferSize} (maxBufferSize). Use a smaller batch, resolution or layer, or split what it holds.`,
      );
    }
    try {
      const buffer = this.gpu.createBuffer(descriptor);
      this.buffers.add(buffer);
      return buffer;
    } catch (error) {
      // What is mapped from the start is there at once, or not at all.
      if (!(error instanceof RangeError)) throw error;
      throw new LimitError(
        `the device has no room for ${descriptor.size} bytes of ${descriptor.label ?? 'data'}: ${error.message}`,
        { cause: error },
      );
    }
  }

  /** Destroys a buffer that `createBuffer` made. */
  freeBuffer(buffer: GPUBuffer): void {
    this.buffers.delete(buffer);
    buffer.destroy();
  }

  /**
   * Gives everything back: all buffers of programs and storages, and the GPUDevice where `open` made it. One that was
   * made elsewhere goes on living. Storages and programs of this device cannot be used any more, and runs under way
   * reject with DisposedError; another Device may follow.
   */
  dispose(): void {
    this.disposed = true;
    for (const buffer of this.buffers) buffer.destroy();
    this.buffers.clear();
    this.destroyGpu?.();
    this.destroyGpu = undefined;
  }
}

/** A GPUDevice with the adapter's own limits, not WebGPU's defaults, and the features that kernels use. */
export function requestGpuDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of USED_LIMITS) {
    const value = adapter.limits[name];
    if (typeof value === 'number') requiredLimits[name] = value;
  }
  const requiredFeatures = USED_FEATURES.filter((feature) => adapter.features.has(feature));
  return adapter.requestDevice({ requiredLimits, requiredFeatures });
}

/** Whether an adapter computes on the CPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return SOFTWARE_ADAPTERS.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`);
}

const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;
const USED_FEATURES: readonly GPUFeatureName[] = [
  'subgroups',
  'shader-f16',
  MATRIX_FEATURE,
  'timestamp-query',
] as GPUFeatureName[];

/**
 * One of `GPUAdapterInfo.subgroupMatrixConfigs`, of the proposal Subgroup Matrix: not in WebGPU yet, nor in its types.
 */
interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** The products that sum in float32: Metal's of 16 bits, which sum in 16 bits, are none, nor are those of integers. */
function matrixUnitsOf(
  info: GPUAdapterInfo & { readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> },
): MatrixUnits | undefined {
  const products = [...(info.subgroupMatrixConfigs ?? [])].flatMap(
    ({ componentType: component, resultComponentType: result, M, N, K }): MatrixProduct[] =>
      result === 'f32' && (component === 'f16' || component === 'f32')
        ? [{ component, rows: M, columns: N, depth: K }]
        : [],
  );
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = info;
  return products.length > 0 && subgroupMinSize > 0
    ? { products, subgroupSizes: [subgroupMinSize, subgroupMaxSize] }
    : undefined;
}

const USED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxUniformBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const satisfies readonly (keyof GPUSupportedLimits)[];
