import type { Dtype } from './safetensors.ts';

/** A tensor of a file. Its bytes are not copied or converted before someone asks for them. */
export interface FileTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** The elements in row-major order, little-endian. */
  bytes(): Uint8Array;
}

/** A file of tensors, in whichever format. */
export interface TensorFile {
  /** The format's name, for messages. */
  readonly format: string;
  /** By name; in nested containers the names are paths with dots, as `state_dict.conv1.weight`. */
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}
