import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder } from '../../src/platform/node/cache-folder.ts';
import { testDevice } from '../support/device.ts';
import { run, TinyTraining } from '../support/tiny-training.ts';

let tiny: TinyTraining;
/** The weights of a training that ignores measurements, before there are any. */
let pinned: string;
const at = (...names: string[]): string => tiny.at(...names);

test.before(async () => {
  tiny = await TinyTraining.make({ cache: `tune-${process.pid}`, backbone: 'resnet18' });
  pinned = await train('pinned', '--deterministic');
});
test.after(() => tiny.remove());

async function train(name: string, ...words: string[]): Promise<string> {
  const { code, stderr } = await run('train', ...tiny.options, '--steps', '2', '--out', at(name), ...words);
  assert.is(code, 0, stderr);
  return tiny.checksumOf(name);
}

interface Records {
  readonly proven: readonly string[];
  readonly choices: Record<string, { variant: string; readonly milliseconds: Readonly<Record<string, number>> }>;
}
async function tuningRecords(): Promise<{ readonly file: string; readonly records: Records }> {
  const folder = path.join(cacheFolder(), 'tuning');
  const [name] = await readdir(folder);
  const file = path.join(folder, name);
  return { file, records: JSON.parse(await readFile(file, 'utf8')) as Records };
}

test('tune: what was proven and measured is kept, and makes a table of known adapters', async () => {
  assert.ok((await tuningRecords()).records.proven.length > 10, 'the commands before verified their variants');
  await writeFile(
    at('table.json'),
    JSON.stringify([{ device: 'another', subgroupSize: 1, measured: '', choices: [] }]),
  );
  const { code, stdout, stderr } = await run(
    'tune',
    '--workload',
    'inference',
    '--batch',
    '1',
    '--size',
    '32',
    '--width',
    '0.25',
    '--effort',
    'quick',
    '--write-table',
    at('table.json'),
  );
  assert.is(code, 0, stderr);
  assert.match(stdout, /\d+ of \d+ problems are measured/);
  const { file, records } = await tuningRecords();
  assert.match(stdout, file);
  assert.ok(Object.keys(records.choices).length > 0);
  const [other, table] = JSON.parse(await readFile(at('table.json'), 'utf8')) as {
    device: string;
    choices: [string, string, string][];
  }[];
  assert.is(other.device, 'another', 'tables of other adapters stay');
  assert.ok((await testDevice()).description.device.startsWith(table.device));
  for (const [question, , variant] of table.choices) assert.is(records.choices[question].variant, variant);
});

test('--deterministic: the same weights before and after a tuning', async () => {
  await train('tuned', '--tune', 'quick');
  // Whatever the measurements gave: from now on each problem that was measured prefers another variant than before.
  const { file, records } = await tuningRecords();
  for (const choice of Object.values(records.choices))
    choice.variant = Object.keys(choice.milliseconds).find((variant) => variant !== choice.variant) ?? choice.variant;
  await writeFile(file, JSON.stringify(records));
  assert.is(await train('pinned again', '--deterministic'), pinned);
  assert.match(
    (await run('train', ...tiny.options, '--tune', 'quick', '--deterministic', '--out', at('both'))).stderr,
    /--tune quick: --deterministic ignores measurements/,
  );
});

test.run();
