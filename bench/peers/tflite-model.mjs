/**
 * The network of resnet50.mjs for inference as a TensorFlow Lite model, for LiteRT: NHWC, batch norms folded, ReLU as
 * the activation of the convolution or addition before it, as a converter writes it. The tables are those of
 * tensorflow/lite/schema/schema.fbs, version 3; a comment names the field of each slot.
 */
import { Builder } from 'flatbuffers';
import { CLASSES, CONVOLUTIONS, RESNET50, foldedParameters, permute } from './resnet50.mjs';

const FLOAT32 = 0;
const INT32 = 2;
const [SAME, VALID] = [0, 1];
const [NONE, RELU] = [0, 1];
/** BuiltinOperator. */
const OPERATORS = { ADD: 0, AVERAGE_POOL_2D: 1, CONV_2D: 3, FULLY_CONNECTED: 9, MAX_POOL_2D: 17, RESHAPE: 22, PAD: 34 };
/** BuiltinOptions, the union's type of each operator. */
const OPTIONS = { ADD: 11, AVERAGE_POOL_2D: 5, CONV_2D: 1, FULLY_CONNECTED: 8, MAX_POOL_2D: 5, RESHAPE: 17, PAD: 22 };
const NAMES = Object.keys(OPERATORS);

/**
 * @param {number} batch
 * @param {number} size height and width of the images, a multiple of 32
 * @returns {Uint8Array} a model with input `images` [batch, size, size, 3] and output `logits` [batch, 1000]
 */
export function tfliteModel(batch, size) {
  const builder = new Builder(2 ** 27);
  const { convolutions, fc } = foldedParameters();
  const buffers = [emptyTable(builder)];
  const tensors = [];
  const operators = [];

  const tensor = (name, shape, values) => {
    if (values !== undefined) buffers.push(bufferTable(builder, values));
    const shapeOffset = int32s(builder, shape);
    const nameOffset = builder.createString(name);
    builder.startObject(4);
    builder.addFieldOffset(0, shapeOffset, 0); // shape
    builder.addFieldInt8(1, values instanceof Int32Array ? INT32 : FLOAT32, 0); // type
    builder.addFieldInt32(2, values === undefined ? 0 : buffers.length - 1, 0); // buffer
    builder.addFieldOffset(3, nameOffset, 0); // name
    return tensors.push({ offset: builder.endObject(), shape }) - 1;
  };
  const shapeOf = (index) => tensors[index].shape;

  /** @param {(builder: Builder) => number} options writes the table of options */
  const apply = (kind, inputs, shape, options) => {
    const output = tensor(`${kind} ${operators.length}`, shape);
    const optionsOffset = options(builder);
    const inputsOffset = int32s(builder, inputs);
    const outputsOffset = int32s(builder, [output]);
    builder.startObject(5);
    builder.addFieldInt32(0, NAMES.indexOf(kind), 0); // opcode_index
    builder.addFieldOffset(1, inputsOffset, 0); // inputs
    builder.addFieldOffset(2, outputsOffset, 0); // outputs
    builder.addFieldInt8(3, OPTIONS[kind], 0); // builtin_options_type
    builder.addFieldOffset(4, optionsOffset, 0); // builtin_options
    operators.push(builder.endObject());
    return output;
  };

  /** Zeros on each side. TensorFlow's SAME puts them at the end where a stride leaves a choice, PyTorch does not. */
  const pad = (x, padding) => {
    const [n, height, width, channels] = shapeOf(x);
    const sides = tensor('paddings', [4, 2], Int32Array.of(0, 0, padding, padding, padding, padding, 0, 0));
    return apply('PAD', [x, sides], [n, height + 2 * padding, width + 2 * padding, channels], emptyTable);
  };

  const convolve = (x, { name, index, input, output, kernel, stride, padding }, activation) => {
    const same = padding === 0 || stride === 1;
    const source = same ? x : pad(x, padding);
    const [n, height, width] = shapeOf(x);
    const shape = [n, Math.ceil(height / stride), Math.ceil(width / stride), output];
    const weight = permute(convolutions[index].weight, [output, input, kernel, kernel], [0, 2, 3, 1]);
    const inputs = [
      source,
      tensor(`${name}.weight`, [output, kernel, kernel, input], weight),
      tensor(`${name}.bias`, [output], convolutions[index].bias),
    ];
    return apply('CONV_2D', inputs, shape, (builder) => {
      builder.startObject(6);
      builder.addFieldInt8(0, same ? SAME : VALID, 0); // padding
      builder.addFieldInt32(1, stride, 0); // stride_w
      builder.addFieldInt32(2, stride, 0); // stride_h
      builder.addFieldInt8(3, activation, 0); // fused_activation_function
      builder.addFieldInt32(4, 1, 1); // dilation_w_factor
      builder.addFieldInt32(5, 1, 1); // dilation_h_factor
      return builder.endObject();
    });
  };

  const pool = (kind, x, filter, stride) => {
    const [n, height, width, channels] = shapeOf(x);
    const extent = (length) => Math.floor((length - filter) / stride) + 1;
    return apply(kind, [x], [n, extent(height), extent(width), channels], (builder) => {
      builder.startObject(6);
      builder.addFieldInt8(0, VALID, 0); // padding
      builder.addFieldInt32(1, stride, 0); // stride_w
      builder.addFieldInt32(2, stride, 0); // stride_h
      builder.addFieldInt32(3, filter, 0); // filter_width
      builder.addFieldInt32(4, filter, 0); // filter_height
      return builder.endObject();
    });
  };

  const images = tensor('images', [batch, size, size, 3]);
  // All are positive after ReLU, so that a maximum may count zeros of padding.
  let x = pool('MAX_POOL_2D', pad(convolve(images, RESNET50.stem, RELU), 1), 3, 2);
  for (const {
    main: [reduce, spatial, expand],
    downsample,
  } of RESNET50.blocks) {
    const shortcut = downsample ? convolve(x, downsample, NONE) : x;
    const y = convolve(convolve(convolve(x, reduce, RELU), spatial, RELU), expand, NONE);
    x = apply('ADD', [y, shortcut], shapeOf(y), (builder) => {
      builder.startObject(1);
      builder.addFieldInt8(0, RELU, 0); // fused_activation_function
      return builder.endObject();
    });
  }
  const pooled = pool('AVERAGE_POOL_2D', x, shapeOf(x)[1], 1);
  const newShape = tensor('shape of the features', [2], Int32Array.of(batch, 2048));
  const features = apply('RESHAPE', [pooled, newShape], [batch, 2048], (builder) => {
    const shape = int32s(builder, [batch, 2048]);
    builder.startObject(1);
    builder.addFieldOffset(0, shape, 0); // new_shape
    return builder.endObject();
  });
  const classifier = [features, tensor('fc.weight', [CLASSES, 2048], fc.weight), tensor('fc.bias', [CLASSES], fc.bias)];
  const logits = apply('FULLY_CONNECTED', classifier, [batch, CLASSES], emptyTable);

  if (operators.length < CONVOLUTIONS.length)
    throw new Error('a convolution is missing from the TensorFlow Lite model');
  return finish(builder, { buffers, tensors, operators, images, logits });
}

function finish(builder, { buffers, tensors, operators, images, logits }) {
  const tensorsOffset = offsets(
    builder,
    tensors.map(({ offset }) => offset),
  );
  const inputsOffset = int32s(builder, [images]);
  const outputsOffset = int32s(builder, [logits]);
  const operatorsOffset = offsets(builder, operators);
  builder.startObject(4);
  builder.addFieldOffset(0, tensorsOffset, 0); // tensors
  builder.addFieldOffset(1, inputsOffset, 0); // inputs
  builder.addFieldOffset(2, outputsOffset, 0); // outputs
  builder.addFieldOffset(3, operatorsOffset, 0); // operators
  const subgraphs = offsets(builder, [builder.endObject()]);
  const codes = offsets(
    builder,
    NAMES.map((name) => {
      builder.startObject(4);
      builder.addFieldInt8(0, OPERATORS[name], 0); // deprecated_builtin_code
      builder.addFieldInt32(2, 1, 1); // version
      builder.addFieldInt32(3, OPERATORS[name], 0); // builtin_code
      return builder.endObject();
    }),
  );
  const description = builder.createString('ResNet50');
  const buffersOffset = offsets(builder, buffers);
  builder.startObject(5);
  builder.addFieldInt32(0, 3, 0); // version
  builder.addFieldOffset(1, codes, 0); // operator_codes
  builder.addFieldOffset(2, subgraphs, 0); // subgraphs
  builder.addFieldOffset(3, description, 0); // description
  builder.addFieldOffset(4, buffersOffset, 0); // buffers
  builder.finish(builder.endObject(), 'TFL3');
  return builder.asUint8Array();
}

function emptyTable(builder) {
  builder.startObject(0);
  return builder.endObject();
}

/** A Buffer, whose data the schema aligns to 16 bytes. */
function bufferTable(builder, { buffer, byteOffset, byteLength }) {
  builder.prep(16, byteLength);
  const data = builder.createByteVector(new Uint8Array(buffer, byteOffset, byteLength));
  builder.startObject(1);
  builder.addFieldOffset(0, data, 0); // data
  return builder.endObject();
}

function int32s(builder, values) {
  builder.startVector(4, values.length, 4);
  for (const value of [...values].reverse()) builder.addInt32(value);
  return builder.endVector();
}

function offsets(builder, values) {
  builder.startVector(4, values.length, 4);
  for (const value of [...values].reverse()) builder.addOffset(value);
  return builder.endVector();
}
