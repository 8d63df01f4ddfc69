import type { AdapterTraits } from './dispatch.ts';
import { AdapterError, DeviceLostError, ValidationError } from './errors.ts';
import { PipelineCache } from './pipelines.ts';

const SOFTWARE_ADAPTERS = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

/** Which adapter this is, in the words of its driver. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

/**
 * A GPUDevice with what the engine needs around it: traits for the choice of kernels, the pipeline cache, and the first
 * error that arrived outside any call (validation, memory, loss), which the next call throws.
 */
export class Device {
  readonly gpu: GPUDevice;
  readonly description: AdapterDescription;
  readonly traits: AdapterTraits;
  readonly pipelines: PipelineCache;
  private failure: Error | undefined;

  /** Wraps a device that was made elsewhere, such as one that a page already draws with. */
  constructor(gpu: GPUDevice, info: GPUAdapterInfo) {
    this.gpu = gpu;
    this.description = { vendor: info.vendor, architecture: info.architecture, device: info.device, description: info.description };
    const oneSize = gpu.features.has('subgroups') && info.subgroupMinSize === info.subgroupMaxSize;
    this.traits = {
      kind: isSoftware(info) ? 'cpu' : 'gpu',
      subgroupSize: oneSize ? (info.subgroupMinSize ?? 0) : 0,
      f16: gpu.features.has('shader-f16'),
      maxWorkgroupInvocations: gpu.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupStorageBytes: gpu.limits.maxComputeWorkgroupStorageSize,
      maxWorkgroupsPerDimension: gpu.limits.maxComputeWorkgroupsPerDimension,
    };
    this.pipelines = new PipelineCache(gpu);
    gpu.addEventListener('uncapturederror', (event) => {
      this.failure ??= new ValidationError(event.error.message);
    });
    void gpu.lost.then((info) => {
      this.failure = new DeviceLostError(info.reason ?? 'unknown', info.message);
    });
  }

  /** Opens a device with all that the adapter has: its own limits, not WebGPU's defaults, and the features kernels use. */
  static async open(adapter: GPUAdapter): Promise<Device> {
    if (/null backend/i.test(`${adapter.info.description} ${adapter.info.device}`)) {
      throw new AdapterError('the only adapter is the null backend, which computes nothing');
    }
    const requiredLimits: Record<string, number> = {};
    for (const name of USED_LIMITS) {
      const value = adapter.limits[name];
      if (typeof value === 'number') requiredLimits[name] = value;
    }
    const requiredFeatures = USED_FEATURES.filter((feature) => adapter.features.has(feature));
    const gpu = await adapter.requestDevice({ requiredLimits, requiredFeatures });
    return new Device(gpu, adapter.info);
  }

  /** Throws the first failure that arrived since the last check; the loss of the device stays. */
  check(): void {
    const failure = this.failure;
    if (failure === undefined) return;
    if (!(failure instanceof DeviceLostError)) this.failure = undefined;
    throw failure;
  }

  /** The failure as it stands, without throwing or clearing it. */
  get failed(): Error | undefined {
    return this.failure;
  }

  /** Waits until all submitted work is done. */
  async idle(): Promise<void> {
    await this.gpu.queue.onSubmittedWorkDone();
    this.check();
  }

  /** Gives the device and all its buffers back. */
  destroy(): void {
    this.gpu.destroy();
  }
}

/** Whether an adapter computes on the CPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return SOFTWARE_ADAPTERS.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`);
}

const USED_FEATURES: readonly GPUFeatureName[] = ['subgroups', 'shader-f16', 'timestamp-query'] as GPUFeatureName[];

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
