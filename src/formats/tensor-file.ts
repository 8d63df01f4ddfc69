import type { FileTensor, TensorFile } from './file-tensor.ts';
import { isPyTorchFile, parsePyTorchFile } from './pytorch.ts';
import { parseSafetensors, toFloat32, type StoredTensor } from './safetensors.ts';
import { BoundedError } from './untrusted.ts';

export type { FileTensor, TensorFile };

/** A file of no known format. */
export class TensorFileError extends BoundedError {
  override readonly name = 'TensorFileError';
}

/** Where a safetensors file has the brace of its header. */
const HEADER_START = 8;

/**
 * Reads a file of weights: safetensors, or what `torch.save` wrote (zip, the stream before it, and the tar before
 * that). Nothing in it is executed, and no tensor is copied before it is requested.
 * @param bytes the whole file; tensors stay views of it
 * @param fileName for error messages
 * @throws SafetensorsError or PyTorchFileError where the file is unsound, TensorFileError where it is of neither kind
 */
export async function parseTensorFile(bytes: Uint8Array, fileName: string): Promise<TensorFile> {
  if (isPyTorchFile(bytes)) return parsePyTorchFile(bytes, fileName);
  // A web page in place of a download, a pointer of Git LFS, an archive within an archive: the beginning tells.
  if (bytes[HEADER_START] !== 0x7b)
    throw new TensorFileError(
      `${fileName} is neither a safetensors file nor one of torch.save: it begins with ${JSON.stringify(new TextDecoder('latin1').decode(bytes.subarray(0, 16)))}`,
    );
  const { tensors, metadata } = parseSafetensors(bytes, fileName);
  const lazily = ([name, { dtype, shape, bytes: stored }]: [string, StoredTensor]): [string, FileTensor] => [
    name,
    { dtype, shape, bytes: () => stored },
  ];
  return { format: 'safetensors', tensors: new Map([...tensors].map(lazily)), metadata };
}

/**
 * The values of a tensor of floats; those of 64 bits are rounded.
 * @throws SafetensorsError where its elements are no floats
 */
export function floatsOf(tensor: FileTensor, name: string): Float32Array {
  return toFloat32({ dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes() }, name);
}
