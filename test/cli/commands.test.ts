import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { testDevice } from '../support/device.ts';
import { openIndex, serializeIndex } from '../../src/retrieval/index-file.ts';
import { parseModel, serializeModel } from '../../src/training/checkpoint.ts';
import { runCaptured, type CommandResult } from '../support/command-output.ts';
import * as archives from '../support/archives.ts';
import { writeShapes } from '../support/shapes-folder.ts';

const BIN = fileURLToPath(new URL('../../bin/sketchgrad.mjs', import.meta.url));
const STEPS = 16;

let folder: string;
const cacheHome = process.env.XDG_CACHE_HOME;
const at = (...names: string[]): string => path.join(folder, ...names);
/** Options of a training that takes seconds on a software adapter. */
const tiny = (): string[] => ['--data', at('shapes'), '--unseen', at('unseen.txt'), '--validation', '0.3', '--size', '32', '--width', '0.25', '--embedding', '16', '--classes-per-batch', '2', '--images-per-domain', '1', '--learning-rate', '1e-3'];

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-commands-'));
  // What is known of variants shall be what these tests find out.
  process.env.XDG_CACHE_HOME = at('cache');
  await writeShapes(at('shapes'));
  await writeFile(at('unseen.txt'), 'shape e\nshape f\n');
});
test.after(async () => {
  if (cacheHome === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cacheHome;
  await rm(folder, { recursive: true });
});

/** Runs the command in a process of its own. */
function start(...words: string[]): { readonly child: ChildProcess; readonly ended: Promise<CommandResult & { readonly signal: NodeJS.Signals | null }> } {
  const child = spawn(process.execPath, [BIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (text: Buffer) => (printed.stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (printed.stderr += text.toString()));
  return { child, ended: new Promise((resolve) => child.on('close', (code, signal) => resolve({ code: code ?? -1, signal, ...printed }))) };
}

async function logLines(run: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(at(run, 'log.jsonl'), 'utf8').catch(() => '');
  return text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Waits until a process has logged so many steps, or has ended. */
async function stepsIn(run: string, count: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && (await logLines(run)).filter(({ event }) => event === 'step').length < count) await delay(20);
}

const checksumOf = async (run: string): Promise<string> => (await parseModel(await readFile(at(run, 'model.safetensors')), run)).checksum;
const run = (...words: string[]): Promise<CommandResult> => runCaptured(words);

test('train: checkpoints, the best, a model, a log', async () => {
  const { code, stdout, stderr } = await run('train', ...tiny(), '--steps', String(STEPS), '--out', at('unbroken'), '--checkpoint-every', '6', '--validate-every', '8', '--keep', '2', '--profile', at('profile.json'));
  assert.is(code, 0, stderr);
  assert.match(stderr, /8\/16 validation: mAP@all 0\.\d+/);
  const names = (await readdir(at('unbroken'))).sort();
  assert.equal(names, ['best.safetensors', 'checkpoint-00000012.safetensors', 'checkpoint-00000016.safetensors', 'log.jsonl', 'model.safetensors']);
  const log = await logLines('unbroken');
  assert.equal(log.filter(({ event }) => event === 'step').map(({ step }) => step), Array.from({ length: STEPS }, (_, step) => step));
  for (const name of ['loss', 'learningRate', 'imagesPerSecond']) assert.ok(log.filter(({ event }) => event === 'step').every((entry) => Number.isFinite(entry[name])), name);
  const { checksum, deviceBusy } = log[log.length - 1] as { checksum: string; deviceBusy: number };
  assert.is(checksum, await checksumOf('unbroken'));
  assert.match(stdout, checksum);
  assert.ok(deviceBusy > 0 && deviceBusy <= 1);
  const profile = JSON.parse(await readFile(at('profile.json'), 'utf8')) as { kernels: { label: string; share: number }[] };
  assert.ok(profile.kernels.some(({ label }) => label.startsWith('convolution')));
  assert.ok(Math.abs(profile.kernels.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
});

test('train: killed at a random step and resumed, the weights are those of a run that was not', async () => {
  const killed = start('train', ...tiny(), '--steps', String(STEPS), '--out', at('killed'), '--checkpoint-every', '1', '--validate-every', '8');
  await stepsIn('killed', 2 + Math.floor(Math.random() * (STEPS - 8)), killed.child);
  killed.child.kill('SIGKILL');
  assert.is((await killed.ended).signal, 'SIGKILL');
  // As a kill in the middle of a write leaves it; this process number belongs to nobody.
  await writeFile(at('killed', '.checkpoint-00000099.safetensors.4194304-0123456789ab.partial'), 'half a file');

  const { code, stderr } = await run('train', '--resume', at('killed'));
  assert.is(code, 0, stderr);
  assert.is(await checksumOf('killed'), await checksumOf('unbroken'));
  assert.ok((await readdir(at('killed'))).every((name) => !name.endsWith('.partial')), 'leftovers are cleared away');
  const starts = (await logLines('killed')).filter(({ event }) => event === 'start');
  assert.is(starts.length, 2);
  assert.ok((starts[1].stepsDone as number) > 0);
});

test('train: Ctrl-C saves and says how to go on', async () => {
  const stopped = start('train', ...tiny(), '--steps', String(STEPS), '--out', at('stopped'));
  await stepsIn('stopped', 3, stopped.child);
  stopped.child.kill('SIGINT');
  const { code, stdout, stderr } = await stopped.ended;
  assert.is(code, 0, stderr);
  assert.match(stdout, `go on with: sketchgrad train --resume ${at('stopped')}`);
  const { stepsDone } = (await logLines('stopped')).at(-1) as { stepsDone: number };
  assert.ok(stepsDone >= 3 && stepsDone < STEPS);
  assert.is((await run('train', '--resume', at('stopped'))).code, 0);
  assert.is(await checksumOf('stopped'), await checksumOf('unbroken'));
});

test('train: numbers that explode end the run with step and op, and leave the last good checkpoint', async () => {
  const { code, stderr } = await run('train', ...tiny(), '--steps', '4', '--checkpoint-every', '1', '--learning-rate', '1e30', '--out', at('exploded'));
  assert.is(code, 1);
  assert.match(stderr, /sketchgrad: step 1: the loss is .* it begins in \w+/);
  assert.equal((await readdir(at('exploded'))).sort(), ['checkpoint-00000001.safetensors', 'log.jsonl']);
  const { state } = await parseModel(await readFile(at('exploded', 'checkpoint-00000001.safetensors')), 'checkpoint');
  for (const { values } of state.values()) assert.ok(values.every(Number.isFinite));
});

test('train: a batch comes in as many micro-batches as are asked for', async () => {
  const { code, stderr } = await run('train', ...tiny(), '--steps', '1', '--accumulate', '2', '--out', at('parts'));
  assert.is(code, 0, stderr);
  assert.match(stderr, /2 micro-batches, each normalised by its own statistics, each encoded twice/);
  const [{ memory }] = (await logLines('parts')).filter(({ event }) => event === 'start') as { memory: { microBatches: number } }[];
  assert.is(memory.microBatches, 2);
});

test('train: what cannot be done is said', async () => {
  const refused = async (message: RegExp, ...words: string[]): Promise<void> => {
    const { code, stderr } = await run('train', ...words);
    assert.is(code, 1);
    assert.match(stderr, message);
  };
  await refused(/holds a run already; go on with it \(--resume .*unbroken\)/, ...tiny(), '--out', at('unbroken'));
  await refused(/--seed 5: the run was begun with 0, and a resumed run keeps its settings/, '--resume', at('unbroken'), '--seed', '5');
  await refused(/--precision f16: the run was begun with f32, and a resumed run keeps its settings/, '--resume', at('unbroken'), '--precision', 'f16');
  if ((await testDevice()).traits.f16 !== true) await refused(/--precision f16: .* has no 16-bit floats \(shader-f16\)/, ...tiny(), '--precision', 'f16', '--out', at('new'));
  await refused(/--accumulate: a batch of 4 images comes in 1, 2, 4 equal parts, and not in 3/, ...tiny(), '--accumulate', '3', '--out', at('new'));
  await refused(/--resume: .*nothing does not exist/, '--resume', at('nothing'));
  await refused(/shapes holds no checkpoint/, '--resume', at('shapes'));
  await refused(/model.safetensors holds a model for use/, '--resume', at('unbroken', 'model.safetensors'));
  await refused(/nothing[/\\]sketch cannot be read .* must hold sketch\/<class>\/ and photo\/<class>\//s, '--data', at('nothing'), '--out', at('new'));
  await refused(/the unseen classes of the emoji are fixed/, '--unseen', '0.3', '--out', at('new'));
  await refused(/conv1.weight: the file has \[16, 3, 7, 7\], the network \[32, 3, 7, 7\]/, ...tiny(), '--width', '0.5', '--weights', at('unbroken', 'model.safetensors'), '--out', at('new'));
  await refused(/needs as many seen classes, and there are 4/, ...tiny(), '--classes-per-batch', '12', '--out', at('new'));
});

test('train, evaluate and embed a published set by its lists', async () => {
  await archives.sakeSketchy(at('Sketchy'));
  await writeFile(at('split.json'), JSON.stringify({ seen: archives.SEEN, unseen: archives.UNSEEN, lists: 'zeroshot1' }));
  const set = ['--data', at('Sketchy'), '--split', at('split.json')];
  const refused = await run('train', ...tiny(), ...set, '--out', at('listed'));
  assert.match(refused.stderr, /--unseen: .*Sketchy has published splits; name one with --split/);
  const withoutUnseen = tiny().slice(4);
  const trained = await run('train', ...withoutUnseen, ...set, '--steps', '2', '--validate-every', '2', '--out', at('listed'));
  assert.is(trained.code, 0, trained.stderr);
  assert.match(trained.stderr, /SAKE archive in .*Sketchy, by the lists in zeroshot1/);
  assert.match(trained.stderr, /2\/2 validation: mAP@all/);
  const { data } = (await logLines('listed')).find(({ event }) => event === 'start') as { data: Record<string, unknown> };
  assert.equal([data.classes, data.images, data.validationSketches], [3, 18, 3]);

  const model = at('listed', 'model.safetensors');
  const evaluated = await run('evaluate', '--model', model, ...set, '--json');
  assert.is(evaluated.code, 0, evaluated.stderr);
  const { queries, gallerySize } = JSON.parse(evaluated.stdout) as { queries: number; gallerySize: number };
  assert.equal([queries, gallerySize], [8, 6]);
  const embedded = await run('embed', '--model', model, ...set, '--part', 'queries', '--out', at('queries.safetensors'));
  assert.is(embedded.code, 0, embedded.stderr);
  const { paths } = openIndex(await readFile(at('queries.safetensors')), 'queries');
  assert.is(paths.length, 8);
  assert.ok(paths.every((name) => archives.UNSEEN.includes(path.basename(path.dirname(name)))));
  assert.match((await run('embed', '--model', model)).stderr, /--images or --data is needed, and not both/);
});

test('evaluate: the unseen classes of the training, as a table and as JSON', async () => {
  const model = at('unbroken', 'model.safetensors');
  const { code, stdout, stderr } = await run('evaluate', '--model', model, '--data', at('shapes'), '--json', '--per-class');
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout) as { queries: number; gallerySize: number; skippedQueries: number; mapAll: number; perClass: { class: string }[]; checksum: string };
  assert.equal([result.queries, result.gallerySize, result.skippedQueries], [6, 6, 0]);
  assert.equal(result.perClass.map((one) => one.class), ['shape e', 'shape f']);
  assert.is(result.checksum, await checksumOf('unbroken'));

  const table = await run('evaluate', '--model', model, '--data', at('shapes'), '--per-class');
  assert.match(table.stdout, new RegExp(`all queries +6 +${result.mapAll.toFixed(4)}`));
  assert.match(table.stdout, /shape f/);
  assert.match(table.stdout, /6 queries against 6 photos; none was skipped/);

  const other = await run('evaluate', '--model', model, '--data', at('shapes'), '--task', 'photo-to-photo', '--cutoffs', '2,5', '--ap-denominator', 'hits', '--codes', '8', '--json', '--report', at('evaluation.html'));
  assert.is(other.code, 0, other.stderr);
  const measured = JSON.parse(other.stdout) as { task: string; protocol: string; queries: number; atCutoff: { k: number }[]; codes: { bits: number; fittedOn: string; protocol: string; mapAll: number } };
  assert.match(measured.task, 'photo to photo');
  assert.is(measured.queries, 6);
  assert.equal(measured.atCutoff.map(({ k }) => k), [2, 5]);
  assert.equal([measured.codes.bits, measured.codes.fittedOn], [8, '12 photos of seen classes']);
  for (const { protocol } of [measured, measured.codes]) assert.match(protocol, /^not SAKE's: .*hits/);
  const page = await readFile(at('evaluation.html'), 'utf8');
  for (const part of ['photo to photo', '8-bit codes', 'UMAP of 6 embeddings', '<th class="number">P@5</th>', 'not SAKE&#39;s']) assert.match(page, part);
  const generalised = await run('evaluate', '--model', model, '--data', at('shapes'), '--task', 'generalised');
  assert.match(generalised.stdout, /generalised \(all photos of seen classes.*6 queries against 18 photos/s);

  await writeFile(at('trained.txt'), 'shape a\nshape e\n');
  const known = await run('evaluate', '--model', model, '--data', at('shapes'), '--unseen', at('trained.txt'));
  assert.is(known.code, 1);
  assert.match(known.stderr, /was trained on shape a/);
});

test('evaluate: a file that is no retrieval model, and weights that are not those of their network', async () => {
  await writeFile(at('text.safetensors'), 'no tensors');
  assert.match((await run('evaluate', '--model', at('text.safetensors'))).stderr, /text.safetensors: not a safetensors file/);
  const { state, about } = await parseModel(await readFile(at('unbroken', 'model.safetensors')), 'model');
  await writeFile(at('foreign.safetensors'), await serializeModel({ state: new Map([['weight', state.get('classifier.weight')!]]), about: {} }));
  assert.match((await run('evaluate', '--model', at('foreign.safetensors'))).stderr, /foreign.safetensors is no retrieval model.*weight \[4, 16\]/);
  const changed = new Map(state).set('embedding.weight', { shape: [1], values: new Float32Array(1) }).set('unexpected', { shape: [1], values: new Float32Array(1) });
  changed.delete('bn1.weight');
  await writeFile(at('changed.safetensors'), await serializeModel({ state: changed, about }));
  const { stderr } = await run('evaluate', '--model', at('changed.safetensors'), '--data', at('shapes'));
  assert.match(stderr, /changed.safetensors: .*embedding.weight: the file has \[1\], the network \[16, 512\].*missing in the file:\s+bn1.weight.*unknown to the network:\s+unexpected/s);
});

test('embed and search: an index of a folder, a ranking, a contact sheet; damaged files by name', async () => {
  const model = at('unbroken', 'model.safetensors');
  await mkdir(at('pictures'));
  await writeShapes(at('pictures', 'inner'));
  await rm(at('pictures', 'inner', 'sketch'), { recursive: true });
  await writeFile(at('pictures', 'damaged.png'), 'no picture');

  const embedded = await run('embed', '--model', model, '--images', at('pictures'), '--out', at('index.safetensors'));
  assert.is(embedded.code, 0, embedded.stderr);
  assert.match(embedded.stderr, /skipped: .*damaged.png cannot be decoded/);
  assert.match(embedded.stdout, /18 pictures, 16 components each/);
  const strict = await run('embed', '--model', model, '--images', at('pictures'), '--out', at('strict.safetensors'), '--strict');
  assert.is(strict.code, 1);
  assert.match(strict.stderr, /sketchgrad: .*damaged.png cannot be decoded/);
  assert.not.ok((await readdir(folder)).includes('strict.safetensors'));
  assert.match((await run('embed', '--model', model, '--images', at('nowhere'))).stderr, /--images: .*nowhere is no folder/);

  const photo = at('pictures', 'inner', 'photo', 'shape e', '1.png');
  const search = ['search', '--model', model, '--index', at('index.safetensors'), '--top', '3'];
  const found = await run(...search, photo, at('shapes', 'sketch', 'shape f', '0.png'), '--json', '--sheet', at('sheet.png'));
  assert.is(found.code, 0, found.stderr);
  const [byPhoto, bySketch] = JSON.parse(found.stdout) as { results: { rank: number; score: number; path: string }[] }[];
  assert.is(byPhoto.results[0].path, photo, 'a picture finds itself');
  assert.ok(byPhoto.results[0].score > 0.9999);
  assert.equal(bySketch.results.map(({ rank }) => rank), [1, 2, 3]);
  assert.equal([...(await readFile(at('sheet.png'))).subarray(1, 4)], [...Buffer.from('PNG')]);
  assert.match((await run(...search, photo)).stdout, /1 +1\.0000 +.*shape e/);
  assert.match((await run(...search, at('pictures', 'damaged.png'))).stderr, /damaged.png cannot be decoded/);

  assert.match((await run(...search, '--by', 'codes', photo)).stderr, /--by codes: .*index.safetensors has no binary codes; .*--codes 64/);
  const embed = ['embed', '--model', model, '--images', at('pictures'), '--out', at('coded.safetensors')];
  assert.match((await run(...embed, '--codes-fit', at('index.safetensors'))).stderr, /--codes-fit says what codes are fitted on/);
  const coded = await run(...embed, '--codes', '12', '--codes-fit', at('index.safetensors'));
  assert.match(coded.stdout, /codes of 12 bits fitted on .*index.safetensors/);
  const byCodes = await run('search', '--model', model, '--index', at('coded.safetensors'), '--by', 'codes', '--top', '4', photo, '--json');
  assert.is(byCodes.code, 0, byCodes.stderr);
  const [{ results }] = JSON.parse(byCodes.stdout) as { results: { distance: number; score: number; path: string }[] }[];
  assert.ok(results.some((result) => result.distance === 0 && result.path === photo), 'a picture has its own code');
  results.forEach(({ distance, score }, i) => {
    assert.ok(i === 0 || distance >= results[i - 1].distance);
    assert.is(score, 1 - (2 * distance) / 12);
  });
});

test('search refuses the index of another model', async () => {
  const index = openIndex(await readFile(at('index.safetensors')));
  await writeFile(at('other.safetensors'), serializeIndex({ ...index, modelChecksum: 'f00d' }));
  const { code, stderr } = await run('search', '--model', at('unbroken', 'model.safetensors'), '--index', at('other.safetensors'), at('shapes', 'sketch', 'shape f', '0.png'));
  assert.is(code, 1);
  assert.match(stderr, /index was made by the model f00d, and this model is [0-9a-f]{64}/);
});

interface Records {
  readonly proven: readonly string[];
  readonly choices: Record<string, { variant: string; readonly milliseconds: Readonly<Record<string, number>> }>;
}
async function tuningRecords(): Promise<{ readonly file: string; readonly records: Records }> {
  const [name] = await readdir(at('cache', 'sketchgrad', 'tuning'));
  const file = at('cache', 'sketchgrad', 'tuning', name);
  return { file, records: JSON.parse(await readFile(file, 'utf8')) as Records };
}

test('tune: what was proven and measured is kept, and makes a table of known adapters', async () => {
  assert.ok((await tuningRecords()).records.proven.length > 10, 'the commands before verified their variants');
  await writeFile(at('table.json'), JSON.stringify([{ device: 'another', subgroupSize: 1, measured: '', choices: [] }]));
  const { code, stdout, stderr } = await run('tune', '--workload', 'inference', '--batch', '1', '--size', '32', '--width', '0.25', '--effort', 'quick', '--write-table', at('table.json'));
  assert.is(code, 0, stderr);
  assert.match(stdout, /\d+ of \d+ problems are measured/);
  const { file, records } = await tuningRecords();
  assert.match(stdout, file);
  assert.ok(Object.keys(records.choices).length > 0);
  const [other, table] = JSON.parse(await readFile(at('table.json'), 'utf8')) as { device: string; choices: [string, string, string][] }[];
  assert.is(other.device, 'another', 'tables of other adapters stay');
  assert.ok((await testDevice()).description.device.startsWith(table.device));
  for (const [question, , variant] of table.choices) assert.is(records.choices[question].variant, variant);
});

test('--deterministic: the same weights before and after a tuning', async () => {
  const train = async (name: string, ...words: string[]): Promise<string> => {
    const { code, stderr } = await run('train', ...tiny(), '--steps', '2', '--out', at(name), ...words);
    assert.is(code, 0, stderr);
    return checksumOf(name);
  };
  const before = await train('pinned', '--deterministic');
  await train('tuned', '--tune', 'quick');
  // Whatever the measurements gave: from now on each problem that was measured prefers another variant than before.
  const { file, records } = await tuningRecords();
  for (const choice of Object.values(records.choices)) choice.variant = Object.keys(choice.milliseconds).find((variant) => variant !== choice.variant) ?? choice.variant;
  await writeFile(file, JSON.stringify(records));
  assert.is(await train('pinned again', '--deterministic'), before);
  assert.match((await run('train', ...tiny(), '--tune', 'quick', '--deterministic', '--out', at('both'))).stderr, /--tune quick: --deterministic takes no notice of measurements/);
});

test('doctor: the adapter, its limits, and kernels that compute rightly', async () => {
  const { code, stdout, stderr } = await run('doctor');
  assert.is(code, 0, stderr);
  assert.match(stdout, (await testDevice()).description.device);
  assert.match(stdout, /maxStorageBufferBindingSize +\d+/);
  assert.match(stdout, /convolution_weight_gradient .* of its bound +right/);
  assert.match(stdout, /All is well: \d+ kernel variants/);
});

test.run();
