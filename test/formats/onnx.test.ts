// What an ONNX file says of itself, read back field by field, and what is never written.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PbfReader } from 'pbf';
import { OnnxError, serializeOnnx, type OnnxModel } from '../../src/formats/onnx.ts';
import { RetrievalNetwork } from '../../src/nn/retrieval-network.ts';
import { retrievalOnnx } from '../../src/nn/retrieval-onnx.ts';
import { StateMismatchError, type StateTensor } from '../../src/nn/state.ts';

const settings = {
  width: 0.25,
  stride: 'v1.5',
  batchNormEpsilon: 1e-5,
  batchNormMomentum: 0.1,
  embedding: 8,
  classes: 2,
  classifier: 'linear',
  teacherClasses: 0,
} as const;
const network = new RetrievalNetwork(settings);
const state = new Map(
  [...network.layouts].map(([name, { fileShape }]): [string, StateTensor] => [
    name,
    { shape: fileShape, values: new Float32Array(fileShape.reduce((a, b) => a * b, 1)).fill(0.5) },
  ]),
);
const options = {
  imageSize: 32,
  pixels: { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
  preprocessing: 'inside',
  version: '1',
} as const;
const model = retrievalOnnx(settings, state, options);

test('IR version 7 with operator set 13, and nodes that are called as the layers are', () => {
  const versions: number[] = [];
  const names: string[] = [];
  new PbfReader(serializeOnnx(model)).readFields((tag, _, pbf) => {
    if (tag === 1) versions.push(pbf!.readVarint());
    if (tag === 7)
      pbf!.readMessage((inner, __, graph) => {
        if (inner === 1)
          graph!.readMessage((field, ___, node) => void (field === 3 && names.push(node!.readString())), null);
      }, null);
    if (tag === 8) pbf!.readMessage((inner, __, set) => void (inner === 2 && versions.push(set!.readVarint())), null);
  }, null);
  assert.equal(versions, [7, 13]);
  for (const name of [
    'conv1',
    'layer1.0.conv1',
    'layer1.0.downsample.0',
    'layer4.2.conv3',
    'layer4.2.relu3',
    'embeddings',
  ])
    assert.ok(names.includes(name), name);
  assert.is(new Set(names).size, names.length);
});

test('weights of another shape, or that are not finite, are refused by name', () => {
  const changed =
    (name: string, tensor: StateTensor): (() => void) =>
    () =>
      void retrievalOnnx(settings, new Map([...state, [name, tensor]]), options);
  const refusal =
    (message: RegExp) =>
    (error: Error): boolean =>
      error instanceof StateMismatchError && message.test(error.message);
  assert.throws(
    changed('layer1.0.conv1.weight', { shape: [16, 16], values: new Float32Array(256) }),
    refusal(/layer1.0.conv1.weight: the file has \[16, 16\], the network \[16, 16, 1, 1\]/),
  );
  for (const value of [NaN, Infinity])
    assert.throws(
      changed('bn1.running_mean', { shape: [16], values: new Float32Array(16).fill(value) }),
      refusal(/bn1.running_mean holds a NaN or an infinity/),
    );
});

test('a model that no runtime would take is not written', () => {
  const constant = model.constants[0];
  const refused = (changes: Partial<OnnxModel>, message: RegExp): void =>
    assert.throws(
      () => serializeOnnx({ ...model, ...changes }),
      (error: Error) => error instanceof OnnxError && message.test(error.message),
    );
  refused({ constants: [...model.constants, constant] }, /two tensors .* called/);
  refused(
    { constants: [{ ...constant, shape: [7] }, ...model.constants.slice(1)] },
    /has the shape \[7\] and 3 values/,
  );
  refused(
    { constants: [{ ...constant, values: Float32Array.of(1, NaN, 1) }, ...model.constants.slice(1)] },
    /holds a NaN/,
  );
  refused({ nodes: model.nodes.slice(1) }, /takes "pixel floats", which nothing before it gives/);
  refused({ inputs: [{ name: 'images', type: 'uint8', shape: ['batch', 0, 32, 3] }] }, /dimension of 0/);
  // A variance below -epsilon gives a scale that is NaN.
  const negative = retrievalOnnx(
    settings,
    new Map([...state, ['bn1.running_var', { shape: [16], values: new Float32Array(16).fill(-1) }]]),
    options,
  );
  assert.throws(() => serializeOnnx(negative), /"conv1.weight" holds a NaN/);
});

test.run();
