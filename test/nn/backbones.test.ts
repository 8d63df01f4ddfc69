// The registry of backbones: torchvision's tensors, files of others, stages, and the same network in ONNX.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { elementCount, input } from '../../src/autodiff/tensor.ts';
import { serializeSafetensors, type TensorToStore } from '../../src/formats/safetensors-writer.ts';
import { parseTensorFile, type TensorFile } from '../../src/formats/tensor-file.ts';
import {
  BACKBONE_NAMES,
  backboneDefinition,
  buildBackbone,
  DEFAULT_BACKBONE,
  type BackboneName,
} from '../../src/nn/backbones/index.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { Network } from '../../src/nn/layers.ts';
import { readPretrainedWeights, type PretrainedOptions } from '../../src/nn/pretrained.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { StateMismatchError } from '../../src/nn/state.ts';
import { readResNetFixture } from '../golden/measures.ts';

/**
 * Parameters with a classifier of 1000 classes, as torchvision's documentation of the models gives them; of VGG11 those of
 * its convolutions and batch norms (9,225,984), without 2,752 biases, and of one linear layer.
 */
const PARAMETERS: Readonly<Record<BackboneName, number>> = {
  resnet18: 11_689_512,
  resnet34: 21_797_672,
  resnet50: 25_557_032,
  resnet101: 44_549_160,
  resnet152: 60_192_808,
  vgg11_bn: 9_736_232,
};

for (const backbone of BACKBONE_NAMES)
  test(`${backbone}: as many parameters as it should have`, () => {
    const { layouts, parameters } = new Classifier({ backbone, classes: 1000 });
    const sizes = [...parameters.entries.keys()].map((name) => elementCount(layouts.get(name)!.fileShape));
    assert.is(
      sizes.reduce((sum, size) => sum + size, 0),
      PARAMETERS[backbone],
    );
  });

for (const backbone of ['resnet18', 'resnet50'] as const)
  test(`${backbone}: the names, shapes and order of torchvision's named_parameters`, () => {
    const { layouts, parameters } = new Classifier({ backbone, classes: 1000 });
    assert.equal(
      [...parameters.entries.keys()].map((name) => ({ name, shape: [...layouts.get(name)!.fileShape] })),
      readResNetFixture(backbone).parameters.map(({ name, shape }) => ({ name, shape: [...shape] })),
    );
  });

test('an unknown backbone and a fractional width are refused', () => {
  assert.throws(() => new Classifier({ backbone: 'vgg16' as BackboneName, classes: 2 }), /no backbone vgg16.*resnet18/);
  assert.throws(() => buildBackbone(new Network(), { backbone: 'resnet18', width: 0.3 }), /width of 0.3/);
});

test('more frozen stages than a backbone has are refused', () => {
  const network = new Network();
  const backbone = buildBackbone(network, { backbone: 'resnet18', width: 0.25 });
  const apply = (frozenStages: number): unknown =>
    backbone.apply(new ForwardContext(network, 'train'), input('images', [1, 32, 32, 4]), { frozenStages });
  apply(4);
  assert.throws(() => apply(5), /5 frozen stages, where the backbone has 4/);
});

test('every tensor of a backbone belongs to one of its stages, the stem to the first', () => {
  for (const name of BACKBONE_NAMES) {
    const network = new Network({}, ['sketch']);
    const backbone = buildBackbone(network, { backbone: name, width: 0.25 });
    const { stages } = backboneDefinition(name);
    const found = [...network.layouts.keys()].map((tensor) => ({ tensor, stage: backbone.stageOf(tensor) ?? 0 }));
    assert.equal(
      [...new Set(found.map(({ stage }) => stage))].sort(),
      Array.from({ length: stages }, (_, index) => index + 1),
    );
    assert.is(backbone.stages, stages);
    for (const { tensor, stage } of name.startsWith('resnet') ? found : [])
      assert.is(stage, Number(/^layer(\d)/.exec(tensor)?.[1] ?? 1), tensor);
    assert.is(backbone.stageOf('embedding.weight'), undefined);
  }
});

const narrow = (backbone: BackboneName): [string, TensorToStore][] =>
  [...new Classifier({ backbone, width: 0.25, classes: 5 }).layouts].map(([name, { fileShape }], index) => [
    name,
    { dtype: 'F32', shape: fileShape, data: new Float32Array(elementCount(fileShape)).fill(index) },
  ]);
const read = async (tensors: readonly (readonly [string, TensorToStore])[], options: PretrainedOptions = {}) => {
  const file: TensorFile = await parseTensorFile(serializeSafetensors(tensors, []), 'w.safetensors');
  return readPretrainedWeights(file, 'w.safetensors', options);
};

for (const backbone of BACKBONE_NAMES)
  test(`${backbone}: recognized in a file by each of its namings, with and without a prefix`, async () => {
    const tensors = narrow(backbone);
    for (const [place, { inFile, classifiers }] of backboneDefinition(backbone).namings.entries()) {
      const prefix = place === 0 ? '' : 'body.';
      const rename = (name: string): string =>
        name.startsWith('fc.') ? name.replace('fc', classifiers[0]) : `${prefix}${inFile(name)}`;
      const found = await read(tensors.map(([name, tensor]) => [rename(name), tensor] as const));
      assert.equal([found.backbone, found.width, found.absent, found.unused], [backbone, 0.25, [], []]);
      assert.equal(
        [...found.state].map(([name, { values }]) => [name, values[0]]),
        tensors.map(([name], index) => [name, index]),
      );
    }
  });

test('a file of a part is read as the default backbone, or as the one that is named', async () => {
  const part = (backbone: BackboneName): [string, TensorToStore][] =>
    narrow(backbone).filter(([name]) => !name.startsWith('layer4'));
  assert.is((await read(part('resnet50'))).backbone, DEFAULT_BACKBONE);
  const named = await read(part('resnet18'), { backbone: 'resnet18' });
  assert.is(named.backbone, 'resnet18');
  assert.ok(named.absent.every((name) => name.startsWith('layer4')));
  const error = await read(part('resnet18')).then(
    () => undefined,
    (problem: unknown) => problem as Error,
  );
  assert.instance(error, StateMismatchError);
  assert.match(error!.message, /another network than a ResNet50, and no other known backbone is whole.*--backbone/);
});

test.run();
