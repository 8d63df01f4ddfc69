/** Writes safetensors files. */
import { float32ToBfloat16Bits, float32ToFloat16Bits, narrow } from '../../kernels/contract/half.ts';
import { ELEMENT_BYTES, isCount, LENGTH_BYTES, METADATA_KEY, type Dtype } from './safetensors-header.ts';
import { byteSize, describeShape, LARGEST_HEADER_BYTES, SafetensorsError } from './safetensors.ts';
import { quote } from './untrusted.ts';

/**
 * A tensor to be written. A Float32Array is narrowed where `dtype` is F16 or BF16; in every other
 * case `data` holds the tensor's elements as they are (a Uint8Array: their little-endian bytes).
 */
export interface TensorToStore {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * Writes tensors and metadata. The same input gives the same bytes whatever its order, and every
 * tensor starts at a multiple of its element size.
 * @throws SafetensorsError where a name comes twice or data and shape disagree
 */
export function serializeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: TensorToStore]>,
  metadata: Iterable<readonly [key: string, value: string]> = [],
): Uint8Array {
  const fail = (problem: string): never => {
    throw new SafetensorsError('safetensors to be written', problem);
  };
  // Larger elements first: with the header padded to 8 bytes, all of them are then aligned.
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype] || compareText(nameA, nameB),
  );

  const parts: Uint8Array[] = [];
  const entries: string[] = [];
  const names = new Set<string>();
  let length = 0;
  const metadataEntries = [...new Map(metadata)].sort(([a], [b]) => compareText(a, b));
  if (metadataEntries.length > 0) {
    const pairs = metadataEntries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    entries.push(`${JSON.stringify(METADATA_KEY)}:{${pairs.join(',')}}`);
  }
  for (const [name, tensor] of sorted) {
    if (name === METADATA_KEY) fail(`${METADATA_KEY} is the format's own key and cannot name a tensor`);
    if (names.has(name)) fail(`two tensors are called ${quote(name)}`);
    names.add(name);
    const bytes = storedBytes(tensor);
    const size = tensor.shape.every(isCount) ? byteSize(tensor.dtype, tensor.shape) : null;
    if (size !== bytes.length)
      fail(
        `tensor ${quote(name)}: ${tensor.dtype} ${describeShape(tensor.shape)} takes ${size ?? 'no possible number of'} bytes, its data has ${bytes.length}`,
      );
    const end = length + bytes.length;
    entries.push(
      `${JSON.stringify(name)}:{"dtype":"${tensor.dtype}","shape":[${tensor.shape.join(',')}],"data_offsets":[${length},${end}]}`,
    );
    parts.push(bytes);
    length = end;
  }

  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const headerLength = Math.ceil(json.length / 8) * 8;
  if (headerLength > LARGEST_HEADER_BYTES)
    fail(`the header would take ${headerLength} bytes, more than the ${LARGEST_HEADER_BYTES} allowed`);
  const file = new Uint8Array(LENGTH_BYTES + headerLength + length);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(json, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + json.length, LENGTH_BYTES + headerLength);
  let position = LENGTH_BYTES + headerLength;
  for (const part of parts) {
    file.set(part, position);
    position += part.length;
  }
  return file;
}

function storedBytes({ dtype, data }: TensorToStore): Uint8Array {
  let elements = data;
  // By its tag: an array of another realm (a worker's, a test runner's) is no instance of this one's class.
  if (Object.prototype.toString.call(data) === '[object Float32Array]') {
    if (dtype === 'F16') elements = narrow(data as Float32Array, float32ToFloat16Bits);
    if (dtype === 'BF16') elements = narrow(data as Float32Array, float32ToBfloat16Bits);
  }
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}

/** By UTF-16 code units: an order that no locale changes. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
