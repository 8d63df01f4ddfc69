import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTensorFile, TensorFileError, type TensorFile } from '../../src/formats/tensor-file.ts';
import { serializeSafetensors, type TensorToStore } from '../../src/formats/safetensors-writer.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { InputConventionError } from '../../src/nn/pixels.ts';
import { readPretrainedWeights } from '../../src/nn/pretrained.ts';
import { StateMismatchError } from '../../src/nn/state.ts';
import { CheckpointError, serializeModel } from '../../src/models/model-file.ts';
import { parseWeights } from '../../src/training/weights.ts';

const CLASSES = 5;
const network = new Classifier({ width: 0.25, classes: CLASSES });
const trunk = [...network.layouts.keys()].filter((name) => !name.startsWith('fc.'));

/** A narrow ResNet50; each tensor is filled with its place in the list. */
const narrow = [...network.layouts].map(([name, { fileShape }], index): [string, TensorToStore] => [
  name,
  tensor(fileShape, index),
]);

function tensor(shape: readonly number[], value = 0): TensorToStore {
  return { dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) };
}
const fileOf = (
  tensors: readonly (readonly [string, TensorToStore])[],
  metadata: readonly (readonly [string, string])[] = [],
): Promise<TensorFile> => parseTensorFile(serializeSafetensors(tensors, metadata), 'w.safetensors');
const renamed = (rename: (name: string) => string): [string, TensorToStore][] =>
  narrow.map(([name, value]) => [rename(name), value]);
const read = async (
  tensors: readonly (readonly [string, TensorToStore])[],
  options = {},
  metadata: readonly (readonly [string, string])[] = [],
) => readPretrainedWeights(await fileOf(tensors, metadata), 'w.safetensors', options);
async function refused(message: RegExp, ...args: Parameters<typeof read>): Promise<void> {
  const error = await read(...args).then(
    () => undefined,
    (problem: unknown) => problem as Error,
  );
  assert.instance(error, StateMismatchError);
  assert.match(error!.message, message);
}

for (const [what, rename, prefix] of [
  ["torchvision's and timm's names", (name: string) => name, ''],
  ['DataParallel', (name: string) => `module.${name}`, 'module.'],
  ['a checkpoint of DataParallel', (name: string) => `state_dict.module.${name}`, 'state_dict.module.'],
  [
    "OpenMMLab's backbone, with head.fc beside it",
    (name: string) => `state_dict.${name.startsWith('fc.') ? 'head.' : 'backbone.'}${name}`,
    'state_dict.backbone.',
  ],
  ['a backbone with fc beside it', (name: string) => (name.startsWith('fc.') ? name : `encoder.${name}`), 'encoder.'],
] as const) {
  test(`${what}: every tensor is found`, async () => {
    const found = await read(renamed(rename));
    assert.is(found.prefix, prefix);
    assert.is(found.width, 0.25);
    assert.equal(
      [...found.state].map(([name, { values }]) => [name, values[0]]),
      [...network.layouts.keys()].map((name, index) => [name, index]),
    );
    assert.equal([found.absent, found.unused], [[], []]);
  });
}

test('children that are numbered, as nn.Sequential does', async () => {
  const numbers: Record<string, string> = { conv1: '0', bn1: '1', layer1: '4', layer2: '5', layer3: '6', layer4: '7' };
  const found = await read(
    renamed((name) => name.replace(/^\w+/, (first) => `features.${numbers[first] ?? first}`)).filter(
      ([name]) => !name.includes('fc.'),
    ),
  );
  assert.is(found.prefix, 'features.');
  assert.equal([...found.state.keys()], trunk);
});

/** As transformers' ResNetForImageClassification calls them. */
const huggingFace = (name: string): string => {
  const [, stage, block, rest] = /^layer(\d)\.(\d+)\.(.*)$/.exec(name) ?? [];
  if (stage === undefined)
    return name
      .replace(/^conv1/, 'resnet.embedder.embedder.convolution')
      .replace(/^bn1/, 'resnet.embedder.embedder.normalization')
      .replace(/^fc/, 'classifier.1');
  const layers: [RegExp, string][] = [1, 2, 3].flatMap((place): [RegExp, string][] => [
    [new RegExp(`^conv${place}`), `layer.${place - 1}.convolution`],
    [new RegExp(`^bn${place}`), `layer.${place - 1}.normalization`],
  ]);
  const renames: [RegExp, string][] = [
    [/^downsample\.0/, 'shortcut.convolution'],
    [/^downsample\.1/, 'shortcut.normalization'],
    ...layers,
  ];
  return `resnet.encoder.stages.${Number(stage) - 1}.layers.${block}.${renames.reduce((renamed, [from, to]) => renamed.replace(from, to), rest)}`;
};

test("Hugging Face's names: every tensor is found, the classifier too", async () => {
  const found = await read(renamed(huggingFace));
  assert.equal([found.prefix, found.names], ['resnet.', "Hugging Face's"]);
  assert.equal(
    [...found.state].map(([name, { values }]) => [name, values[0]]),
    [...network.layouts.keys()].map((name, index) => [name, index]),
  );
  assert.equal([found.absent, found.unused], [[], []]);
  // A bias called 1.bias is no batch norm of a numbered trunk where its shape is of something else.
  const part = await read(renamed(huggingFace).filter(([name]) => /embedder.convolution|classifier/.test(name)));
  assert.equal([part.prefix, part.state.size], ['resnet.', 1]);
  await refused(
    /tensors that a ResNet50 does not have:\s+resnet.encoder.stages.3.layers.3.layer.0.convolution.weight/,
    [...renamed(huggingFace), ['resnet.encoder.stages.3.layers.3.layer.0.convolution.weight', tensor([1, 1, 1, 1])]],
  );
});

test('shards are read by their index; a lone one is refused', async () => {
  const half = narrow.length >> 1;
  const shards = new Map([
    ['w-00001-of-00002.safetensors', narrow.slice(0, half)],
    ['w-00002-of-00002.safetensors', narrow.slice(half)],
  ]);
  const weightMap = Object.fromEntries(
    [...shards].flatMap(([shard, tensors]) => tensors.map(([name]) => [name, shard])),
  );
  const indexOf = (content: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(content));
  const readShard = async (name: string): Promise<Uint8Array> => serializeSafetensors(shards.get(name)!);
  const { file, pretrained } = await parseWeights(
    indexOf({ metadata: {}, weight_map: weightMap }),
    'w.safetensors.index.json',
    { readShard },
  );
  assert.equal([...file.state.keys()], [...network.layouts.keys()]);
  assert.is(pretrained?.format, 'safetensors, 2 shards');
  const refusedAs = async (
    message: RegExp,
    bytes: Uint8Array,
    name: string,
    read: typeof readShard = readShard,
  ): Promise<void> => {
    const error = await parseWeights(bytes, name, { readShard: read }).then(
      () => undefined,
      (problem: unknown) => problem as Error,
    );
    assert.instance(error, TensorFileError);
    assert.match(error!.message, message);
  };
  await refusedAs(
    /is one of several shards.*index/,
    await readShard('w-00001-of-00002.safetensors'),
    'folder/w-00001-of-00002.safetensors',
  );
  await refusedAs(/lacks the tensor "layer/, indexOf({ weight_map: weightMap }), 'w.index.json', () =>
    readShard('w-00001-of-00002.safetensors'),
  );
  for (const name of ['../w.safetensors', '/etc/passwd', '.hidden.safetensors', 'a/b.safetensors', 'w.txt', 7, null])
    await refusedAs(
      /no name of a file beside the index/,
      indexOf({ weight_map: { 'conv1.weight': name } }),
      'w.index.json',
    );
  for (const content of [{}, [], { weight_map: [] }, { weight_map: {} }])
    await refusedAs(/no index of shards|neither a safetensors/, indexOf(content), 'w.index.json');
  await refusedAs(/is JSON, and this is no JSON/, new TextEncoder().encode('{"weight_map":'), 'w.index.json');
});

test('two networks in a file (MoCo, EMA, student and teacher): the user says which', async () => {
  const both = [
    ...renamed((name) => `state_dict.module.encoder_q.${name}`),
    ...renamed((name) => `state_dict.module.encoder_k.${name}`),
  ];
  await refused(
    /several networks; say which by its prefix \(--weights-prefix\): "state_dict.module.encoder_\w.", "state_dict.module.encoder_\w."/,
    both,
  );
  const found = await read(both, { prefix: 'state_dict.module.encoder_k.' });
  assert.is(found.state.size, narrow.length);
  assert.is(found.unused.length, narrow.length);
  await refused(/nothing of a known backbone \(resnet18, .*\) under the prefix "encoder_k."/, both, {
    prefix: 'encoder_k.',
  });
});

test('what is absent and what is not used is listed, and batch counters are neither', async () => {
  const found = await read([
    ...narrow.filter(([name]) => !name.startsWith('layer4.1.conv')),
    ['layer4.1.bn1.num_batches_tracked', { dtype: 'I64', shape: [], data: new BigInt64Array(1) }],
    ['projector.0.weight', tensor([2, 2])],
  ]);
  // With a convolution its batch norm begins anew.
  const norms = [1, 2, 3].map((index) =>
    ['weight', 'bias', 'running_mean', 'running_var'].map((suffix) => `layer4.1.bn${index}.${suffix}`),
  );
  assert.equal(
    found.absent,
    [1, 2, 3].flatMap((index) => [`layer4.1.conv${index}.weight`, ...norms[index - 1]]),
  );
  // And a classifier of features that are no more.
  assert.equal([...found.unused].sort(), [...norms.flat(), 'fc.bias', 'fc.weight', 'projector.0.weight'].sort());
  assert.not.ok(found.state.has('fc.weight'));
});

test('another network is refused, with the tensors that tell', async () => {
  await refused(/tensors that a ResNet50 does not have:\n {2}layer3.6.conv1.weight/, [
    ...narrow,
    ['layer3.6.conv1.weight', tensor([64, 256, 1, 1])],
  ]);
  await refused(/does not have:\n {2}conv1.0.weight/, [
    ...narrow.filter(([name]) => name !== 'conv1.weight'),
    ['conv1.0.weight', tensor([8, 3, 3, 3])],
  ]);
  await refused(
    /layer1.0.conv2.weight: the file has \[32, 1, 3, 3\], a ResNet50 of width 0.25 has \[16, 16, 3, 3\]/,
    narrow.map(([name, value]) => [name, name === 'layer1.0.conv2.weight' ? tensor([32, 1, 3, 3]) : value] as const),
  );
  await refused(/nothing of a known backbone \(.*\): its tensors are "vit.blocks.0.attn.qkv.weight"/, [
    ['vit.blocks.0.attn.qkv.weight', tensor([2])],
  ]);
  await refused(/width of 0.3125 times/, [['conv1.weight', tensor([20, 3, 7, 7])]]);
});

test('a head of another form is no classifier', async () => {
  const found = await read([
    ...narrow.filter(([name]) => !name.startsWith('fc.')),
    ['fc.0.weight', tensor([4, 512])],
    ['fc.0.bias', tensor([4])],
  ]);
  assert.not.ok(found.state.has('fc.weight'));
  assert.equal(found.unused, ['fc.0.bias', 'fc.0.weight']);
});

test('what the file says of itself', async () => {
  const found = await read(narrow, {}, [
    ['architecture', 'resnet50, v1 (stride 2 on the first 1x1)'],
    ['bn_eps', '1.001e-5'],
    ['input', 'RGB, 0..255, minus mean (123.68, 116.779, 103.939), std 1'],
  ]);
  assert.equal([found.stride, found.batchNormEpsilon, found.input?.white], ['v1', 1.001e-5, 255]);
  assert.is((await read(narrow, {}, [['architecture', 'resnet50 v1.5']])).stride, 'v1.5');
  assert.is((await read(narrow, {}, [['architecture', 'resnet50_v1b']])).stride, undefined);
  assert.equal(
    (
      await read(narrow, {}, [
        ['mean', '[0.5, 0.5, 0.5]'],
        ['std', '[0.5, 0.5, 0.5]'],
      ])
    ).input?.mean,
    [0.5, 0.5, 0.5],
  );
  const silent = await read(narrow);
  assert.equal([silent.stride, silent.batchNormEpsilon, silent.input], [undefined, undefined, undefined]);
  await refused(/"small" for the batch norm's epsilon/, narrow, {}, [['bn_eps', 'small']]);
  const error = await read(narrow, {}, [['input', 'as usual']]).then(
    () => undefined,
    (problem: unknown) => problem as Error,
  );
  assert.instance(error, InputConventionError);
  assert.match(error!.message, /w.safetensors: the input convention "as usual" names neither RGB nor BGR.*--input/);
  assert.is((await read(narrow, { input: found.input }, [['input', 'as usual']])).input, found.input);
});

test('blue first: the first convolution is reversed, so that models see red first', async () => {
  const values = Float32Array.from({ length: 16 * 3 * 49 }, (_, index) => index);
  const found = await read(
    narrow.map(([name, value]) => [name, name === 'conv1.weight' ? { ...value, data: values } : value] as const),
    {},
    [['input', 'caffe']],
  );
  const reversed = found.state.get('conv1.weight')!.values;
  for (const [output, color, place] of [
    [0, 0, 0],
    [3, 1, 7],
    [15, 2, 48],
  ])
    assert.is(reversed[(output * 3 + color) * 49 + place], (output * 3 + 2 - color) * 49 + place);
  const { file } = await parseWeights(serializeSafetensors(narrow, [['input', 'caffe']]), 'w.safetensors');
  assert.equal((file.about.pixels as { mean: number[] }).mean, [123.68 / 255, 116.779 / 255, 103.939 / 255]);
});

test('a model of ours is read as such, and says itself how it is fed', async () => {
  const bytes = await serializeModel({
    state: new Map([['w', { shape: [1], values: Float32Array.of(2) }]]),
    about: { kind: 'classifier' },
  });
  const { file, pretrained } = await parseWeights(bytes, 'ours.safetensors');
  assert.equal([file.about.kind, pretrained], ['classifier', undefined]);
  const error = await parseWeights(bytes, 'ours.safetensors', { prefix: 'module.' }).then(
    () => undefined,
    (problem: unknown) => problem as Error,
  );
  assert.instance(error, CheckpointError);
});

test.run();
