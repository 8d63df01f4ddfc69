import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, readState } from '../../src/nn/state.ts';
import { parseModel, serializeModel } from '../../src/models/model-file.ts';
import { parseKnowledge } from '../../src/training/knowledge-file.ts';
import { builtCommand } from '../support/built-command.ts';
import { useTestCache } from '../support/cache-home.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { testDevice } from '../support/device.ts';
import { writeShapes } from '../support/shapes-folder.ts';

/** So many that a process is sure to be met in the middle of them. */
const COPIES = 15;

let folder: string;
let restoreCache: () => void;
const at = (...names: string[]): string => path.join(folder, ...names);
const data = (): string[] => [
  '--data',
  at('shapes'),
  '--unseen',
  at('unseen.txt'),
  '--size',
  '32',
  '--width',
  '0.25',
  '--deterministic',
];
const distilling = (out: string): string[] => [
  'distill',
  '--weights',
  at('teacher.safetensors'),
  ...data(),
  '--batch',
  '4',
  '--save-every',
  '1',
  '--teacher-temperature',
  '2',
  '--out',
  at(out),
];

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-distill-'));
  restoreCache = useTestCache();
  await writeShapes(at('shapes'));
  for (const name of ['a', 'b', 'c', 'd']) {
    for (let copy = 0; copy < COPIES; copy++)
      await copyFile(
        at('shapes', 'photo', `shape ${name}`, `${copy % 3}.png`),
        at('shapes', 'photo', `shape ${name}`, `copy ${copy}.png`),
      );
  }
  await writeFile(at('unseen.txt'), 'shape e\nshape f\n');
  const storage = new DeviceStorage(await testDevice());
  const network = new Classifier({ width: 0.25, classes: 5 });
  await initializeNetwork(network, storage, 9);
  await writeFile(
    at('teacher.safetensors'),
    await serializeModel({ state: await readState(network, storage), about: { kind: 'classifier' } }),
  );
  storage.destroy();
});
test.after(async () => {
  restoreCache();
  await rm(folder, { recursive: true });
});

test('distill: a table of all seen classes, which train takes', async () => {
  const { code, stdout, stderr } = await runOnTestDevice(distilling('whole'));
  assert.is(code, 0, stderr);
  assert.match(stdout, /4 classes x 5 of the teacher's, from 72 photos, each seen once/);
  assert.match(stderr, /^contents 72\/72$/m, 'progress of the first reading of all files');
  const knowledge = parseKnowledge(await readFile(at('whole')), 'whole');
  assert.equal(knowledge.classes, ['shape a', 'shape b', 'shape c', 'shape d']);
  assert.equal([...knowledge.counts], [18, 18, 18, 18]);

  const training = [
    'train',
    ...data(),
    '--embedding',
    '16',
    '--classes-per-batch',
    '2',
    '--images-per-domain',
    '1',
    '--steps',
    '1',
    '--weights',
    at('teacher.safetensors'),
    '--knowledge',
    at('whole'),
  ];
  const trained = await runOnTestDevice([...training, '--out', at('run')]);
  assert.is(trained.code, 0, trained.stderr);
  assert.not.match(trained.stderr, /teacher 72\/72/, 'the teacher is not asked again');
  const resumed = await runOnTestDevice(['train', '--resume', at('run')]);
  assert.is(resumed.code, 0, 'the reading of the knowledge is among the settings of the run');
  const refused = await runOnTestDevice([...training, '--out', at('refused'), '--teacher-temperature', '3']);
  assert.is(refused.code, 1);
  assert.match(
    refused.stderr,
    /whole was distilled as the mean of softmax outputs at temperature 2, and the training asks for .* temperature 3/,
  );
});

test('distill: killed in the middle and started again, the file has the same bytes', async () => {
  const child = spawn(process.execPath, [await builtCommand(), ...distilling('killed')], { stdio: 'ignore' });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('close', (_, signal) => resolve(signal)));
  while (!existsSync(at('killed.partial')) && child.exitCode === null) await delay(2);
  child.kill('SIGKILL');
  assert.is(await ended, 'SIGKILL');
  const { code, stderr } = await runOnTestDevice(distilling('killed'));
  assert.is(code, 0, stderr);
  assert.match(stderr, /continuing after \d+ photos/);
  assert.equal(await readFile(at('killed')), await readFile(at('whole')));
  assert.equal(
    (await readdir(folder)).filter((name) => name.includes('partial')),
    [],
  );
});

test('distill: a network that was trained here can teach, unless its logits are cosines', async () => {
  const trained = at('run', 'model.safetensors');
  const taught = await runOnTestDevice(['distill', '--weights', trained, ...data(), '--out', at('taught')]);
  assert.is(taught.code, 0, taught.stderr);
  const { table } = parseKnowledge(await readFile(at('taught')), 'taught');
  assert.equal(table.shape, [4, 4]);
  assert.ok(new Set(table.values).size > 4);

  const { state, about } = await parseModel(await readFile(trained), trained);
  await writeFile(
    at('cosine.model.safetensors'),
    await serializeModel({ state: new Map([...state].filter(([name]) => name !== 'classifier.bias')), about }),
  );
  const model = await runOnTestDevice([
    'distill',
    '--weights',
    at('cosine.model.safetensors'),
    ...data(),
    '--out',
    at('new'),
  ]);
  assert.is(model.code, 1);
  assert.match(model.stderr, /model.safetensors has no fc.weight, so it is no teacher/);
});

test('distill: what is no knowledge is said', async () => {
  const knowledge = await runOnTestDevice([
    'train',
    ...data(),
    '--knowledge',
    at('teacher.safetensors'),
    '--out',
    at('new-run'),
  ]);
  assert.is(knowledge.code, 1);
  assert.match(
    knowledge.stderr,
    /teacher.safetensors: it is no file of the format "sketchgrad knowledge".*A file that sketchgrad distill wrote is needed/,
  );
});

test.run();
