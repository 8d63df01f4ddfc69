/**
 * An array of numbers that a caller hands in: floats for f32, integers for u32, an array of numbers for either, bytes
 * packed four to a u32.
 */
export type HostValues =
  | Float32Array
  | Float64Array
  | Uint32Array
  | Uint16Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | readonly number[];

const FLOATS = /^Float\d+Array$/;
const INTEGERS = /^(Uint(16|32)|Int(8|16|32))Array$/;
const BYTES = /^Uint8(Clamped)?Array$/;

/** Reads the internal name of a typed array of any realm, whatever class or tag its author gave it. */
const typedName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get as () => string | undefined;

const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice('[object '.length, -1);

/** "Float32Array", "Array", "Map": by tag, since `instanceof` knows only the classes of its own realm. */
const kindOf = (value: unknown): string =>
  ArrayBuffer.isView(value) ? (typedName.call(value) ?? 'DataView') : tagOf(value);

/** The type of a tensor for these values: u32 for arrays of integers, f32 for floats and for arrays of numbers. */
export const typeOfValues = (values: unknown): 'f32' | 'u32' => (INTEGERS.test(kindOf(values)) ? 'u32' : 'f32');

/**
 * The values as the device takes them: whole words, `length` elements of `type`. Everything that a caller hands in
 * passes through here. Numbers are converted, never reinterpreted: 64-bit floats are rounded, integers must lie between
 * 0 and 2^32 - 1. Memory that others may write meanwhile (SharedArrayBuffer), or that may move, is copied; so is
 * everything where `copy` is set. Otherwise an array of the right type is passed on as it is, so the caller must be
 * done with it before it returns to its own caller.
 * @param refuse throws an error from its argument, which continues a sentence such as "input x ..."
 */
export function hostValues(
  values: unknown,
  type: 'f32' | 'u32',
  length: number,
  refuse: (why: string) => never,
  copy = false,
): Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  const kind = kindOf(values);
  const given = values as Float32Array | Uint32Array;
  if (type === 'u32' && BYTES.test(kind)) {
    if (given.length > 4 * length || given.length <= 4 * (length - 1)) refuse(`was given ${given.length} bytes`);
    if (!copy && given.length === 4 * length && isOrdinary(given)) return given as Uint32Array<ArrayBuffer>;
    const words = new Uint8Array(4 * length);
    words.set(given);
    return words;
  }
  if (kind !== 'Array' && !(type === 'f32' ? FLOATS : INTEGERS).test(kind))
    refuse(`holds ${type}, but was given a ${kind}`);
  if (given.length !== length) refuse(`was given ${given.length} values`);
  const Words = type === 'f32' ? Float32Array : Uint32Array;
  if (kind === `${type === 'f32' ? 'Float' : 'Uint'}32Array`)
    return !copy && isOrdinary(given) ? (given as Uint32Array<ArrayBuffer>) : new Words(given);
  const words = new Words(length);
  for (let i = 0; i < length; i++) {
    const value: unknown = given[i];
    if (typeof value !== 'number' || (type === 'u32' && value >>> 0 !== value))
      refuse(
        `was given ${String(value)} as element ${i}; ${type === 'u32' ? 'an integer from 0 to 4294967295' : 'a number'} was expected`,
      );
    words[i] = value;
  }
  return words;
}

/**
 * Whether the memory is its owner's alone and stays where it is. WebGPU refuses other memory, or crashes on it (Dawn in
 * Node).
 */
const isOrdinary = ({ buffer }: ArrayBufferView): boolean =>
  tagOf(buffer) === 'ArrayBuffer' && (buffer as { readonly resizable?: boolean }).resizable !== true;
