/**
 * ONNX models (https://onnx.ai/onnx/repo-docs/IR.html), as far as a network of convolutions needs them. The messages of
 * onnx.proto are written field by field with pbf, a small library for protocol buffers; the numbers are the fields'.
 */
import { PbfWriter } from 'pbf';
import { BoundedError, quote } from './untrusted.ts';

/** A tensor that the model holds. */
export interface OnnxConstant {
  readonly name: string;
  readonly shape: readonly number[];
  /** 32-bit floats, or 64-bit integers, which operators take as shapes and places. */
  readonly values: Float32Array | BigInt64Array;
}

/** The value of an attribute: an integer or float, or a list of integers. */
export type OnnxAttribute = number | readonly number[];

/** A node of an ONNX graph. */
export interface OnnxNode {
  /** Unique in its model; shown by viewers. */
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** An input or output; a dimension that is a text may have any size. */
export interface OnnxValue {
  readonly name: string;
  readonly type: 'float32' | 'uint8';
  readonly shape: readonly (number | string)[];
}

/** A model to be written as ONNX. */
export interface OnnxModel {
  readonly name: string;
  readonly description: string;
  /** Version of the default operator set. */
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** What a reader may want to know, by key. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly producer: { readonly name: string; readonly version: string };
}

/** A model that no runtime would take. The message names the tensor or node. */
export class OnnxError extends BoundedError {
  override readonly name = 'OnnxError';
}

/** Version of the file format: 7 is that of operator set 13, and the oldest that runtimes for it demand. */
const IR_VERSION = 7;
/** Protocol buffers end at 2 GiB. */
const MOST_BYTES = 2 ** 31 - 1;
const DATA_TYPE = { float32: 1, uint8: 2, int64: 7 } as const;
const ATTRIBUTE_TYPE = { int: 2, ints: 7 } as const;

/**
 * The bytes of a .onnx file.
 * @throws OnnxError where a constant's values do not fit its shape or are not finite, a name is used twice or never
 * defined, or the
 *   file would have 2 GiB or more
 */
export function serializeOnnx(model: OnnxModel): Uint8Array {
  checkModel(model);
  const writer = new PbfWriter();
  writeModel(model, writer);
  return writer.finish();
}

function checkModel({ nodes, constants, inputs, outputs }: OnnxModel): void {
  const defined = new Set<string>();
  const define = (name: string): void => {
    if (name === '' || defined.has(name))
      throw new OnnxError(`two tensors of the ONNX model are called ${quote(name)}`);
    defined.add(name);
  };
  let bytes = 0;
  for (const { name, shape, values } of constants) {
    define(name);
    const elements = shape.reduce((product, size) => product * size, 1);
    if (!shape.every((size) => Number.isSafeInteger(size) && size > 0) || elements !== values.length)
      throw new OnnxError(`the tensor ${quote(name)} has the shape [${shape.join(', ')}] and ${values.length} values`);
    if (values instanceof Float32Array && !values.every(Number.isFinite))
      throw new OnnxError(
        `the tensor ${quote(name)} holds a NaN or an infinity; a model of it would compute nothing that means anything`,
      );
    bytes += values.byteLength;
  }
  if (bytes > MOST_BYTES)
    throw new OnnxError(
      `the ONNX model would take ${(bytes / 2 ** 30).toFixed(1)} GiB, and a file of this format has less than 2; export a narrower network`,
    );
  for (const { name, shape } of [...inputs, ...outputs]) {
    const wrong = shape.find((size) => typeof size === 'number' && !(Number.isSafeInteger(size) && size > 0));
    if (wrong !== undefined) throw new OnnxError(`${quote(name)} of the ONNX model has a dimension of ${wrong}`);
  }
  for (const { name } of inputs) define(name);
  for (const { name, inputs: taken, output } of nodes) {
    const unknown = taken.find((input) => !defined.has(input));
    if (unknown !== undefined)
      throw new OnnxError(
        `the node ${quote(name)} of the ONNX model takes ${quote(unknown)}, which nothing before it gives`,
      );
    define(output);
  }
  const missing = outputs.find(({ name }) => !defined.has(name));
  if (missing !== undefined) throw new OnnxError(`nothing gives the output ${quote(missing.name)} of the ONNX model`);
}

function writeModel(
  { name, description, opset, nodes, constants, inputs, outputs, metadata, producer }: OnnxModel,
  pbf: PbfWriter,
): void {
  pbf.writeVarintField(1, IR_VERSION);
  pbf.writeStringField(2, producer.name);
  pbf.writeStringField(3, producer.version);
  pbf.writeMessage(7, writeGraph, { name, description, nodes, constants, inputs, outputs });
  pbf.writeMessage(8, (version: number, set) => set.writeVarintField(2, version), opset);
  for (const entry of metadata) pbf.writeMessage(14, writeEntry, entry);
}

function writeGraph(
  { name, description, nodes, constants, inputs, outputs }: Omit<OnnxModel, 'opset' | 'metadata' | 'producer'>,
  pbf: PbfWriter,
): void {
  for (const node of nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, name);
  for (const constant of constants) pbf.writeMessage(5, writeTensor, constant);
  pbf.writeStringField(10, description);
  for (const value of inputs) pbf.writeMessage(11, writeValue, value);
  for (const value of outputs) pbf.writeMessage(12, writeValue, value);
}

function writeNode({ name, operator, inputs, output, attributes = {} }: OnnxNode, pbf: PbfWriter): void {
  for (const input of inputs) pbf.writeStringField(1, input);
  pbf.writeStringField(2, output);
  pbf.writeStringField(3, name);
  pbf.writeStringField(4, operator);
  for (const attribute of Object.entries(attributes)) pbf.writeMessage(5, writeAttribute, attribute);
}

function writeAttribute([name, value]: [string, OnnxAttribute], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (typeof value === 'number') {
    pbf.writeVarintField(3, value);
    pbf.writeVarintField(20, ATTRIBUTE_TYPE.int);
  } else {
    for (const item of value) pbf.writeVarintField(8, item);
    pbf.writeVarintField(20, ATTRIBUTE_TYPE.ints);
  }
}

function writeTensor({ name, shape, values }: OnnxConstant, pbf: PbfWriter): void {
  for (const size of shape) pbf.writeVarintField(1, size);
  pbf.writeVarintField(2, values instanceof Float32Array ? DATA_TYPE.float32 : DATA_TYPE.int64);
  pbf.writeStringField(8, name);
  // Little-endian, as every platform with WebGPU is.
  pbf.writeBytesField(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

function writeValue({ name, type, shape }: OnnxValue, pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  const writeDimension = (size: number | string, dimension: PbfWriter): void =>
    typeof size === 'number' ? dimension.writeVarintField(1, size) : dimension.writeStringField(2, size);
  const writeShape = (sizes: OnnxValue['shape'], message: PbfWriter): void =>
    sizes.forEach((size) => message.writeMessage(1, writeDimension, size));
  const writeTensorType = (sizes: OnnxValue['shape'], message: PbfWriter): void => {
    message.writeVarintField(1, DATA_TYPE[type]);
    message.writeMessage(2, writeShape, sizes);
  };
  pbf.writeMessage(2, (sizes: OnnxValue['shape'], message) => message.writeMessage(1, writeTensorType, sizes), shape);
}

function writeEntry([key, value]: [string, string], pbf: PbfWriter): void {
  pbf.writeStringField(1, key);
  pbf.writeStringField(2, value);
}
