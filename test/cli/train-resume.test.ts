// Runs that were ended early, and what comes of them.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { optionsOfWeights, readModelFile } from '../../src/cli/files/model-file.ts';
import { run, start, TinyTraining } from '../support/tiny-training.ts';

const STEPS = 16;

let tiny: TinyTraining;
const at = (...names: string[]): string => tiny.at(...names);

test.before(async () => {
  tiny = await TinyTraining.make({ backbone: 'resnet18' });
  await tiny.train('unbroken', STEPS);
});
test.after(() => tiny.remove());

test('train: killed at a random step and resumed, the weights are those of a run that was not', async () => {
  const killed = await start(
    'train',
    ...tiny.options,
    '--steps',
    String(STEPS),
    '--out',
    at('killed'),
    '--checkpoint-every',
    '1',
    '--validate-every',
    '8',
  );
  await tiny.stepsIn('killed', 2 + Math.floor(Math.random() * (STEPS - 8)), killed.child);
  killed.child.kill('SIGKILL');
  assert.is((await killed.ended).signal, 'SIGKILL');
  // As a kill in the middle of a write leaves it; this process number belongs to nobody.
  await writeFile(at('killed', '.checkpoint-00000099.safetensors.4194304-0123456789ab.partial'), 'half a file');

  const { code, stderr } = await run('train', '--resume', at('killed'));
  assert.is(code, 0, stderr);
  assert.is(await tiny.checksumOf('killed'), await tiny.checksumOf('unbroken'));
  assert.ok(
    (await readdir(at('killed'))).every((name) => !name.endsWith('.partial')),
    'leftovers are cleared away',
  );
  const starts = (await tiny.logLines('killed')).filter(({ event }) => event === 'start');
  assert.is(starts.length, 2);
  const begun = starts[1].stepsDone as number;
  assert.ok(begun > 0);
  // What was given once is remembered: a checkpoint at every step, a validation at every eighth.
  const lines = await tiny.logLines('killed');
  const log = lines.slice(lines.findLastIndex(({ event }) => event === 'start'));
  assert.equal(
    log.filter(({ event }) => event === 'checkpoint').map(({ stepsDone }) => stepsDone),
    Array.from({ length: STEPS - begun }, (_, step) => begun + 1 + step),
  );
  assert.is(log.filter(({ event }) => event === 'validation').at(-1)?.stepsDone, STEPS);
  assert.not.ok((await readdir(at('killed'))).includes('run.lock'));
});

test('train: resumed at its end, a run writes the model that is missing', async () => {
  await rm(at('killed', 'model.safetensors'));
  const { code, stderr } = await run('train', '--resume', at('killed'));
  assert.is(code, 0, stderr);
  assert.is(await tiny.checksumOf('killed'), await tiny.checksumOf('unbroken'));
});

test('train: killed before its first checkpoint, a run begins again with its options', async () => {
  await mkdir(at('early'));
  const [first] = await tiny.logLines('unbroken');
  assert.is(first.event, 'options');
  await writeFile(
    at('early', 'log.jsonl'),
    `${JSON.stringify({ ...first, options: { ...(first.options as object), steps: 2 } })}\n`,
  );
  const { code, stderr } = await run('train', '--resume', at('early'));
  assert.is(code, 0, stderr);
  assert.match(stderr, /early holds no checkpoint: the run begins again/);
  assert.equal(
    (await tiny.logLines('early')).filter(({ event }) => event === 'step').map(({ loss }) => loss)[0],
    (await tiny.logLines('unbroken')).filter(({ event }) => event === 'step').map(({ loss }) => loss)[0],
  );
});

test('train: a run from a model of ours that has no checkpoint begins again from it', async () => {
  const weights = at('unbroken', 'model.safetensors');
  const [first] = await tiny.logLines('unbroken');
  // What a run from these weights writes first: the options that they gave are among its own.
  const options = {
    ...(first.options as object),
    steps: 1,
    weights,
    ...optionsOfWeights(await readModelFile(weights, '--weights'), weights),
  };
  const begin = async (
    folder: string,
    changes: object,
  ): Promise<{ readonly code: number; readonly stderr: string }> => {
    await mkdir(at(folder));
    await writeFile(at(folder, 'log.jsonl'), `${JSON.stringify({ ...first, options: { ...options, ...changes } })}\n`);
    return run('train', '--resume', at(folder));
  };
  const { code, stderr } = await begin('from-weights', {});
  assert.is(code, 0, stderr);
  assert.match(stderr, /from-weights holds no checkpoint: the run begins again/);
  const other = await begin('other-input', { input: 'caffe' });
  assert.is(other.code, 1);
  assert.match(other.stderr, /says itself how it is fed: leave out --input/);
});

test('train: pictures that were changed under their names are noticed', async () => {
  const photos = at('shapes', 'photo', 'shape a');
  const [name, other] = (await readdir(photos)).sort().map((file) => `${photos}/${file}`);
  const before = await readFile(name);
  await writeFile(name, await readFile(other));
  const { code, stderr } = await run('train', '--resume', at('killed'));
  await writeFile(name, before);
  assert.is(code, 1);
  assert.match(stderr, /data.contents: "\w+" then, "\w+" now\s+\(the contents of the pictures are other ones/);
});

test('train: Ctrl-C saves and says how to go on', async () => {
  const stopped = await start('train', ...tiny.options, '--steps', String(STEPS), '--out', at('stopped'));
  await tiny.stepsIn('stopped', 3, stopped.child);
  stopped.child.kill('SIGINT');
  const { code, stdout, stderr } = await stopped.ended;
  assert.is(code, 0, stderr);
  assert.match(stdout, `continue with: sketchgrad train --resume ${at('stopped')}`);
  const { stepsDone } = (await tiny.logLines('stopped')).at(-1) as { stepsDone: number };
  assert.ok(stepsDone >= 3 && stepsDone < STEPS);
  assert.is((await run('train', '--resume', at('stopped'))).code, 0);
  assert.is(await tiny.checksumOf('stopped'), await tiny.checksumOf('unbroken'));
});

test.run();
