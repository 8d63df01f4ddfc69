// Computes, in Node or in Deno, what test/support/kernel-outputs.ts lists, and writes it to the file that is named:
// each output in 32-bit words, and its error bounds.
import { writeFileSync } from 'node:fs';
import { serializeSafetensors, type TensorToStore } from '../../src/formats/safetensors-writer.ts';
import { openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import { kernelOutputs } from '../support/kernel-outputs.ts';

const device = await openDevice();
const tensors: [string, TensorToStore][] = [];
for await (const { name, values, error } of kernelOutputs(device)) {
  tensors.push([name, { dtype: values instanceof Float32Array ? 'F32' : 'U32', shape: [values.length], data: values }]);
  tensors.push([`${name}, bound`, { dtype: 'F64', shape: [error.length], data: error }]);
}
writeFileSync(
  process.argv[2],
  serializeSafetensors(tensors, [['adapter', Object.values(device.description).join(' ').trim()]]),
);
device.dispose();
releaseGpu();
