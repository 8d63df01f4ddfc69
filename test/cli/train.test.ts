import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdir, readFile } from 'node:fs/promises';
import { stopOnSignal } from '../../src/cli/stop-signal.ts';
import { parseModel } from '../../src/models/model-file.ts';
import type { RetrievalTraining } from '../../src/training/recipe.ts';
import { testDevice } from '../support/device.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

let tiny: TinyTraining;
const at = (...names: string[]): string => tiny.at(...names);

test.before(async () => {
  tiny = await TinyTraining.make();
});
test.after(() => tiny.remove());

const STEPS = 16;

test('train: checkpoints, the best, a model, a log', async () => {
  const { code, stdout, stderr } = await run(
    'train',
    ...tiny.options,
    '--steps',
    String(STEPS),
    '--out',
    at('unbroken'),
    '--checkpoint-every',
    '6',
    '--validate-every',
    '8',
    '--keep',
    '2',
    '--profile',
    at('profile.json'),
  );
  assert.is(code, 0, stderr);
  assert.match(stderr, /8\/16 validation: mAP@all 0\.\d+/);
  const names = (await readdir(at('unbroken'))).sort();
  assert.equal(names, [
    'best.safetensors',
    'checkpoint-00000012.safetensors',
    'checkpoint-00000016.safetensors',
    'log.jsonl',
    'model.safetensors',
  ]);
  const log = await tiny.logLines('unbroken');
  assert.equal(
    log.filter(({ event }) => event === 'step').map(({ step }) => step),
    Array.from({ length: STEPS }, (_, step) => step),
  );
  for (const name of ['loss', 'learningRate', 'imagesPerSecond'])
    assert.ok(
      log.filter(({ event }) => event === 'step').every((entry) => Number.isFinite(entry[name])),
      name,
    );
  const { checksum, deviceBusy } = log[log.length - 1] as { checksum: string; deviceBusy: number };
  assert.is(checksum, await tiny.checksumOf('unbroken'));
  assert.match(stdout, checksum);
  assert.ok(deviceBusy > 0 && deviceBusy <= 1);
  const profile = JSON.parse(await readFile(at('profile.json'), 'utf8')) as {
    kernels: { label: string; share: number }[];
  };
  assert.ok(profile.kernels.some(({ label }) => label.startsWith('convolution')));
  assert.ok(Math.abs(profile.kernels.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
});

test('Ctrl-C, SIGTERM and the end of the terminal save; the terminal may end twice', () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const stop = stopOnSignal();
    process.emit(signal, signal);
    assert.ok(stop.signal.aborted, signal);
    if (signal === 'SIGHUP') process.emit(signal, signal);
    stop.release();
    assert.is(process.listenerCount(signal), 0);
  }
});

test('train: numbers that explode end the run with step and op, and leave the last good checkpoint', async () => {
  const { code, stderr } = await run(
    'train',
    ...tiny.options,
    '--steps',
    '4',
    '--checkpoint-every',
    '1',
    '--learning-rate',
    '1e30',
    '--out',
    at('exploded'),
  );
  assert.is(code, 1);
  assert.match(stderr, /sketchgrad: step 1: the loss is .* it begins in \w+/);
  assert.equal((await readdir(at('exploded'))).sort(), ['checkpoint-00000001.safetensors', 'log.jsonl']);
  const { state } = await parseModel(await readFile(at('exploded', 'checkpoint-00000001.safetensors')), 'checkpoint');
  for (const { values } of state.values()) assert.ok(values.every(Number.isFinite));
});

test('train: a batch comes in as many micro-batches as are asked for', async () => {
  const { code, stderr } = await run(
    'train',
    ...tiny.options,
    '--steps',
    '1',
    '--accumulate',
    '2',
    '--out',
    at('parts'),
  );
  assert.is(code, 0, stderr);
  assert.match(stderr, /2 micro-batches, each normalized by its own statistics, each encoded twice/);
  const [{ memory }] = (await tiny.logLines('parts')).filter(({ event }) => event === 'start') as {
    memory: { microBatches: number };
  }[];
  assert.is(memory.microBatches, 2);
});

test('train: options beyond the paper reach the settings, which are without them otherwise', async () => {
  const beyond = [
    '--ema-decay',
    '0.9',
    '--loss-contrastive',
    '0.5',
    '--contrastive-positives',
    'any',
    '--classifier',
    'cosine',
    '--classifier-margin',
    '0.2',
    '--label-smoothing',
    '0.1',
  ];
  const { code, stderr } = await run('train', ...tiny.options, ...beyond, '--steps', '2', '--out', at('beyond'));
  assert.is(code, 0, stderr);
  const settings = async (name: string): Promise<RetrievalTraining> =>
    (await tiny.logLines(name)).find(({ event }) => event === 'start')?.settings as RetrievalTraining;
  const { emaDecay, losses } = await settings('beyond');
  assert.is(emaDecay, 0.9);
  assert.equal(losses.contrastive, { weight: 0.5, temperature: 0.1, positives: 'any' });
  assert.equal([losses.classifierMargin, losses.labelSmoothing], [0.2, 0.1]);
  const [step] = (await tiny.logLines('beyond')).filter(({ event }) => event === 'step') as {
    values: Record<string, number>;
  }[];
  assert.ok(step.values.contrastive > 0);
  const plain = await settings('unbroken');
  for (const name of ['emaDecay', 'sourceWeights']) assert.not(name in plain, name);
  for (const name of ['contrastive', 'classifierMargin', 'labelSmoothing']) assert.not(name in plain.losses, name);
});

test('train: what cannot be done is said', async () => {
  const refused = async (message: RegExp, ...words: string[]): Promise<void> => {
    const { code, stderr } = await run('train', ...words);
    assert.is(code, 1);
    assert.match(stderr, message);
  };
  await refused(/holds a run already; continue it \(--resume .*unbroken\)/, ...tiny.options, '--out', at('unbroken'));
  await refused(
    /--seed 5: the run was begun with 0, and a resumed run keeps its settings/,
    '--resume',
    at('unbroken'),
    '--seed',
    '5',
  );
  await refused(
    /--precision f16: the run was begun with f32, and a resumed run keeps its settings/,
    '--resume',
    at('unbroken'),
    '--precision',
    'f16',
  );
  if ((await testDevice()).traits.f16 !== true)
    await refused(
      /--precision f16: .* has no 16-bit floats \(shader-f16\)/,
      ...tiny.options,
      '--precision',
      'f16',
      '--out',
      at('new'),
    );
  await refused(
    /--accumulate: a batch of 4 images comes in 1, 2, 4 equal parts, and not in 3/,
    ...tiny.options,
    '--accumulate',
    '3',
    '--out',
    at('new'),
  );
  await refused(
    /--classifier-margin 0.2: a margin is for cosines; give --classifier cosine as well/,
    ...tiny.options,
    '--classifier-margin',
    '0.2',
    '--out',
    at('new'),
  );
  await refused(/--resume: .*nothing does not exist/, '--resume', at('nothing'));
  await refused(/shapes holds no checkpoint/, '--resume', at('shapes'));
  await refused(/model.safetensors holds a model for use/, '--resume', at('unbroken', 'model.safetensors'));
  await refused(
    /nothing[/\\]sketch cannot be read .* must hold sketch\/<class>\/ and photo\/<class>\//s,
    '--data',
    at('nothing'),
    '--out',
    at('new'),
  );
  await refused(/the unseen classes of the emoji are fixed/, '--unseen', '0.3', '--out', at('new'));
  await refused(
    /^sketchgrad: --width 0\.5: .*model\.safetensors holds a network of width 0\.25; give --width 0\.25, or leave --width out\n$/,
    ...tiny.options,
    '--width',
    '0.5',
    '--weights',
    at('unbroken', 'model.safetensors'),
    '--data',
    at('nothing'),
    '--out',
    at('new'),
  );
  await refused(
    /^sketchgrad: --teacher: .*model\.safetensors holds a network of width 0\.25, and the training's is of width 0\.5; .*\n$/,
    ...tiny.options,
    '--width',
    '0.5',
    '--teacher',
    at('unbroken', 'model.safetensors'),
    '--data',
    at('nothing'),
    '--out',
    at('new'),
  );
  await refused(
    /needs as many seen classes, and there are 4/,
    ...tiny.options,
    '--classes-per-batch',
    '12',
    '--out',
    at('new'),
  );
});

test.run();
