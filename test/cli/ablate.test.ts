import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, readState } from '../../src/nn/state.ts';
import { serializeModel } from '../../src/models/model-file.ts';
import type { CommandResult } from '../support/command-output.ts';
import { useTestCache } from '../support/cache-home.ts';
import { runOnTestDevice } from '../support/device-command.ts';
import { testDevice } from '../support/device.ts';
import { writeShapes } from '../support/shapes-folder.ts';

let folder: string;
let restoreCache: () => void;
const at = (...names: string[]): string => path.join(folder, ...names);
const ablate = (...words: string[]): Promise<CommandResult> =>
  runOnTestDevice([
    'ablate',
    '--weights',
    at('teacher.safetensors'),
    '--data',
    at('shapes'),
    '--unseen',
    at('unseen.txt'),
    '--validation',
    '0.3',
    '--size',
    '32',
    '--width',
    '0.25',
    '--embedding',
    '16',
    '--classes-per-batch',
    '2',
    '--images-per-domain',
    '1',
    '--steps',
    '2',
    '--validate-every',
    '1',
    '--deterministic',
    '--out',
    at('ablation'),
    ...words,
  ]);

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-ablate-'));
  restoreCache = useTestCache();
  await writeShapes(at('shapes'));
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

interface Table {
  readonly summary: readonly {
    readonly step: string;
    readonly seeds: readonly number[];
    readonly metrics: Record<string, { readonly mean: number; readonly deviation: number | null }>;
  }[];
  readonly results: readonly {
    readonly step: string;
    readonly seed: number;
    readonly metrics: Record<string, number>;
  }[];
}
const table = async (): Promise<Table> => JSON.parse(await readFile(at('ablation', 'ablation.json'), 'utf8')) as Table;

test('ablate: every step with mean and spread, as text, JSON and markdown', async () => {
  const { code, stdout, stderr } = await ablate('--seeds', '1');
  assert.is(code, 0, stderr);
  const steps = ['frozen features', 'untrained heads', 'classification', '+ quadruplet', '+ preservation'];
  const { summary, results } = await table();
  assert.equal(
    summary.map(({ step }) => step),
    steps,
  );
  for (const { metrics } of results) for (const value of Object.values(metrics)) assert.ok(value > 0 && value <= 1);
  const markdown = await readFile(at('ablation', 'ablation.md'), 'utf8');
  for (const step of steps) {
    assert.ok(markdown.includes(`| ${step} |`));
    assert.ok(stdout.includes(step));
  }
  assert.not.ok(
    (await readdir(at('ablation', 'preservation-1'))).some((name) => name.startsWith('checkpoint-')),
    'what is finished needs no checkpoint',
  );
});

test('ablate: what is there is not computed again, and a lost result comes back with the same figures', async () => {
  const before = await table();
  const kept = await stat(at('ablation', 'classification-1.json'));
  await rm(at('ablation', 'untrained-heads-1.json'));
  const { code, stderr } = await ablate('--seeds', '1');
  assert.is(code, 0, stderr);
  assert.is((await stat(at('ablation', 'classification-1.json'))).mtimeMs, kept.mtimeMs);
  assert.equal(await table(), before);
  assert.not.match(stderr, /teacher 12\/12/, 'the teacher was asked once');

  const other = await ablate('--margin', '0.5');
  assert.is(other.code, 1);
  assert.match(other.stderr, /ablation holds another ablation; .*training.losses.margin: 0.2 then, 0.5 now/s);
  const seeds = await ablate('--seeds', '1,x');
  assert.match(seeds.stderr, /--seeds: whole numbers .* and it is "1,x"/);
});

test.run();
