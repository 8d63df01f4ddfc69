/**
 * The network of resnet50.mjs for inference as an ONNX model, for ONNX Runtime: NCHW, batch norms folded, one Conv,
 * Relu, Add, MaxPool, GlobalAveragePool and Gemm after the other, as an exporter writes it.
 */
import proto from 'onnx-proto';
import { CLASSES, CONVOLUTIONS, RESNET50, foldedParameters } from './resnet50.mjs';

const { onnx } = proto;
const FLOAT = onnx.TensorProto.DataType.FLOAT;
const OPSET = 13;

/**
 * @param {number} batch
 * @param {number} size height and width of the images
 * @returns {Uint8Array} a serialised ModelProto with input `images` [batch, 3, size, size] and output `logits` [batch,
 * 1000]
 */
export function onnxModel(batch, size) {
  const { convolutions, fc } = foldedParameters();
  const initializer = [];
  const node = [];
  const constant = (name, dims, values) => {
    initializer.push({
      name,
      dims,
      dataType: FLOAT,
      rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    });
    return name;
  };
  let count = 0;
  const apply = (opType, input, attribute = [], output = `${opType} ${count++}`) => {
    node.push({ opType, input, output: [output], name: output, attribute });
    return output;
  };
  const convolve = (x, { name, index, input, output, kernel, stride, padding }) =>
    apply(
      'Conv',
      [
        x,
        constant(`${name}.weight`, [output, input, kernel, kernel], convolutions[index].weight),
        constant(`${name}.bias`, [output], convolutions[index].bias),
      ],
      window(kernel, stride, padding),
    );
  const relu = (x) => apply('Relu', [x]);

  let x = apply('MaxPool', [relu(convolve('images', RESNET50.stem))], window(3, 2, 1));
  for (const {
    main: [reduce, spatial, expand],
    downsample,
  } of RESNET50.blocks) {
    const shortcut = downsample ? convolve(x, downsample) : x;
    const y = relu(convolve(relu(convolve(x, reduce)), spatial));
    x = relu(apply('Add', [convolve(y, expand), shortcut]));
  }
  const features = apply('Flatten', [apply('GlobalAveragePool', [x])]);
  // y = features weight^T + bias
  apply(
    'Gemm',
    [features, constant('fc.weight', [CLASSES, 2048], fc.weight), constant('fc.bias', [CLASSES], fc.bias)],
    [integer('transB', 1)],
    'logits',
  );

  if (node.filter(({ opType }) => opType === 'Conv').length !== CONVOLUTIONS.length)
    throw new Error('a convolution is missing from the ONNX model');
  return onnx.ModelProto.encode({
    irVersion: 8,
    producerName: 'sketchgrad-bench',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: 'ResNet50',
      node,
      initializer,
      input: [value('images', [batch, 3, size, size])],
      output: [value('logits', [batch, CLASSES])],
    },
  }).finish();
}

function window(kernel, stride, padding) {
  return [
    integers('kernel_shape', [kernel, kernel]),
    integers('strides', [stride, stride]),
    integers('pads', [padding, padding, padding, padding]),
  ];
}

function integer(name, i) {
  return { name, type: onnx.AttributeProto.AttributeType.INT, i };
}

function integers(name, ints) {
  return { name, type: onnx.AttributeProto.AttributeType.INTS, ints };
}

function value(name, shape) {
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } } };
}
