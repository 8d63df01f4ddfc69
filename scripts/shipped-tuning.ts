// What the entries of the shipped tuning tables were measured on, as far as code tells.
import type { AdapterTraits } from '../kernels/contract/adapter-traits.ts';
import type { AnyKernel, KernelCall } from '../kernels/kernel.ts';
import { PREPACKED_SUFFIX } from '../src/autodiff/variant-selector.ts';
import type { TuningTable } from '../src/tuning/tables.ts';

const LIMITS = { maxWorkgroupInvocations: 1024, maxWorkgroupStorageBytes: 32768, maxWorkgroupsPerDimension: 65535 };

/** The traits of the adapters of the tables, as far as variants depend on them. */
const TRAITS: Readonly<Record<string, AdapterTraits>> = {
  llvmpipe: { kind: 'cpu', subgroupSize: 8, f16: true, ...LIMITS },
  'nvidia-h200': { kind: 'gpu', subgroupSize: 32, f16: true, ...LIMITS, maxWorkgroupStorageBytes: 49152 },
};

/** The variants of an entry's problem, none where there is no such kernel. @param key of the entry */
export function variantsOf(kernels: readonly AnyKernel[], { device }: TuningTable, key: string): readonly KernelCall[] {
  if (!(device in TRAITS)) throw new RangeError(`scripts/shipped-tuning.ts does not know the traits of ${device}`);
  const prepacked = key.endsWith(PREPACKED_SUFFIX);
  const [name] = key.split(' ', 1);
  const problem: unknown = JSON.parse(key.slice(name.length, prepacked ? -PREPACKED_SUFFIX.length : undefined));
  const kernel = kernels.find((one) => one.name === name);
  return kernel?.calls(problem as never, { ...TRAITS[device], prepackedWeights: prepacked }) ?? [];
}
