/** The values in memory that threads share: a copy, or the array itself where it is there already. */
export function sharedCopy<Values extends Float32Array | Uint16Array | Int8Array | Uint8Array>(values: Values): Values {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const copy = new (values.constructor as new (buffer: SharedArrayBuffer) => Values)(
    new SharedArrayBuffer(values.byteLength),
  );
  copy.set(values);
  return copy;
}
