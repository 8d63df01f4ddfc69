import { residentAtOnce } from '../../kernels/cost-model.ts';
import { GPUS, type GpuDescription } from '../../kernels/gpus.ts';

/** How many workgroups a compute unit of a GPU holds at once, as far as WGSL decides it. */
export interface Occupancy {
  readonly gpu: string;
  /** Workgroups that a compute unit holds at once. */
  readonly residentWorkgroups: number;
  /** Their invocations, as a share of what the unit can hold. */
  readonly occupancy: number;
  /** What keeps it from holding more. */
  readonly limitedBy: 'workgroup memory' | 'invocations' | 'workgroups';
  /** How many times all compute units are filled by the dispatch; below 1, some stay idle. */
  readonly waves: number;
}

/**
 * Estimates for the GPUs of the cost model (kernels/gpus.ts). WebGPU tells neither the compute units nor the registers of
 * an adapter, so registers are not counted and these are upper bounds.
 */
export function occupancies(
  workgroup: { readonly invocations: number; readonly workgroupBytes: number },
  workgroups: number,
  gpus: readonly GpuDescription[] = GPUS,
): Occupancy[] {
  const { invocations, workgroupBytes } = workgroup;
  return gpus.map((gpu): Occupancy => {
    const resident = residentAtOnce({ invocations, workgroupBytes, registers: 0 }, gpu);
    const fits = (bytes: number): number => residentAtOnce({ invocations, workgroupBytes: bytes, registers: 0 }, gpu);
    const limitedBy =
      workgroupBytes > 0 && fits(0) > resident
        ? 'workgroup memory'
        : Math.floor(gpu.residentInvocations / invocations) <= gpu.residentWorkgroups
          ? 'invocations'
          : 'workgroups';
    return {
      gpu: gpu.name,
      residentWorkgroups: resident,
      occupancy: Math.min(1, (resident * invocations) / gpu.residentInvocations),
      limitedBy,
      waves: workgroups / (gpu.computeUnits * resident),
    };
  });
}
