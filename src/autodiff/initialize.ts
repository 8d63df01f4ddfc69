import { initialize } from '../../kernels/random/initialize.ts';
import { Sequence, type BoundDispatch } from '../gpu/sequence.ts';
import { STREAM } from '../random/philox.ts';
import { withinLimits } from './slicing.ts';
import type { DeviceStorage } from './device-storage.ts';
import type { ParameterStore } from './tensor.ts';

const BYTES = 4;

/**
 * Fills every tensor of a store as its `initial` says, with random numbers that depend on the seed and its name alone.
 * Not a method of the storage: weights that come from a file are never drawn, nor should their bundle hold what draws.
 */
export async function initializeStore(storage: DeviceStorage, store: ParameterStore, seed: number): Promise<void> {
  const { gpu, traits } = storage.device;
  const buffer = storage.buffer(store);
  const bound: BoundDispatch[] = [];
  for (const [name, { tensor, offset, initial }] of store.entries) {
    const calls = initialize.calls(
      {
        count: tensor.length,
        distribution: initial,
        key: [seed >>> 0, STREAM.initialisation],
        address: [hashName(name), 0],
      },
      traits,
    );
    const call = withinLimits(calls, {
      maxBindingBytes: gpu.limits.maxStorageBufferBindingSize,
      maxWorkgroupsPerDimension: traits.maxWorkgroupsPerDimension,
    });
    const range = { buffer, offset: BYTES * offset, size: BYTES * tensor.length };
    for (const dispatch of call?.dispatches ?? [])
      bound.push({ dispatch, ranges: dispatch.operands.map(() => range), label: `initialize ${name}` });
  }
  const sequence = await Sequence.prepare(storage.device, bound);
  try {
    sequence.submit();
    await storage.device.idle();
  } finally {
    sequence.destroy();
  }
}

/** FNV-1a: gives every tensor a stream of random numbers of its own, whatever precedes it in the store. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
