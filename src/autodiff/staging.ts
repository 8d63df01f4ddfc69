import type { PlanOptions } from './plan-types.ts';
import type { Tensor } from './tensor.ts';

/** Bytes from which an input is staged on a GPU. */
const STAGED_FROM = 2 ** 20;

/**
 * The inputs that reach the device through staging buffers of the program's own: large ones, on GPUs. All others are
 * left to `queue.writeBuffer`. On an H200 with Dawn that keeps the host for 6 to 8 ms with 25.7 MB, a batch of 32
 * images of 224x224, where a mapped buffer takes 1.5 ms. In software a mapped buffer saves as much (lavapipe 12 ms of
 * processor time, SwiftShader 1), but of a step that takes many seconds, which is not worth three times the memory of
 * the images.
 */
export function stagedInputs(
  given: readonly Tensor[],
  {
    traits,
    maxBufferBytes,
    stagedFrom = traits.kind === 'gpu' ? STAGED_FROM : Infinity,
  }: Pick<PlanOptions, 'traits' | 'maxBufferBytes' | 'stagedFrom'>,
): readonly Tensor[] {
  let bytes = 0;
  return given.filter((tensor) => {
    // All inputs of a run share one staging buffer.
    if (tensor.origin.kind !== 'input' || tensor.bytes < stagedFrom || bytes + tensor.bytes > maxBufferBytes)
      return false;
    bytes += tensor.bytes;
    return true;
  });
}
