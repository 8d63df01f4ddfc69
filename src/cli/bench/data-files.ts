/** Buffers out of files: NumPy's .npy, or bytes as they are. */
import { readFile } from 'node:fs/promises';
import type { ScalarType } from '../../benchmark/wgsl/interface.ts';
import type { BufferContent } from '../../benchmark/wgsl/values.ts';
import { OptionError } from '../options/option.ts';

const NUMPY_TYPES: Readonly<Record<string, ScalarType>> = { '<f4': 'f32', '<f2': 'f16', '<i4': 'i32', '<u4': 'u32' };
const MAGIC = '\x93NUMPY';

/** @throws OptionError where the file is missing, or a .npy of a type that WGSL does not store */
export async function readBufferFile(name: string, file: string, type: ScalarType | undefined): Promise<BufferContent> {
  const where = `--buffer ${name}=${file}`;
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new OptionError(`${where}: ${(cause as Error).message}`, { cause });
  });
  if (!/\.npy$/i.test(file)) return { bytes: new Uint8Array(bytes), ...(type && { type }) };
  // A magic word, a version, the length of the header, the header: a dictionary in Python's notation.
  if (bytes.toString('latin1', 0, 6) !== MAGIC) throw new OptionError(`${where}: it is no .npy file`);
  const wide = bytes[6] > 1;
  const first = wide ? 12 : 10;
  const length = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', first, first + length);
  const stored = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? 'unknown';
  const found = NUMPY_TYPES[stored];
  if (found === undefined)
    throw new OptionError(
      `${where}: it holds ${stored}; a buffer takes float32, float16, int32 or uint32 of little endian`,
    );
  if (/'fortran_order':\s*True/.test(header))
    throw new OptionError(`${where}: its order is Fortran's; save numpy.ascontiguousarray(x)`);
  if (type !== undefined && type !== found) throw new OptionError(`${where}: it holds ${found}, and ${type} was given`);
  return { bytes: new Uint8Array(bytes.subarray(first + length)), type: found };
}
