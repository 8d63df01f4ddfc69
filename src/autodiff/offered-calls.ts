import type { AnyKernel, KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { problemText } from './variant-selector.ts';

const byTraits = new WeakMap<AdapterTraits, WeakMap<AnyKernel, Map<string, readonly KernelCall[]>>>();

/**
 * The variants that a kernel offers for a problem on an adapter, the preferred one first. They are made once: a program
 * is planned several times, its layers repeat, and the texts of some shaders are made for each call.
 *
 * @param traits of a device; the object itself is what tells adapters apart
 * @param prepacked whether the program prepacks weights once, outside its runs; see `AdapterTraits.prepackedWeights`
 */
export function offeredCalls(
  kernel: AnyKernel,
  problem: unknown,
  traits: AdapterTraits,
  prepacked = traits.prepackedWeights ?? false,
): readonly KernelCall[] {
  let ofTraits = byTraits.get(traits);
  if (ofTraits === undefined) byTraits.set(traits, (ofTraits = new WeakMap()));
  let ofKernel = ofTraits.get(kernel);
  if (ofKernel === undefined) ofTraits.set(kernel, (ofKernel = new Map()));
  const key = `${problemText(problem)}${prepacked ? ' prepacked' : ''}`;
  let calls = ofKernel.get(key);
  if (calls === undefined)
    ofKernel.set(key, (calls = kernel.calls(problem as never, { ...traits, prepackedWeights: prepacked })));
  return calls;
}
