// Deno's WebGPU (wgpu, naga) beside Node's (Dawn, Tint) on one adapter: how far apart the numbers are, and that the
// command does its work. Each computes in a process of its own, on lavapipe where it is installed.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { denoExecutable } from '../../scripts/deno.ts';
import { parseSafetensors, type StoredTensor } from '../../src/formats/safetensors.ts';
import { adapterEnvironment, lavapipeDriver } from '../../src/platform/adapter.ts';
import { openIndex } from '../../src/retrieval/index-file.ts';
import { parseModel } from '../../src/models/model-file.ts';
import { writeShapes } from '../support/shapes-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RUNTIMES = {
  deno: [denoExecutable(), 'run', '--allow-all', '--no-check'],
  node: [process.execPath, '--import', 'tsx'],
} as const;
type Runtime = keyof typeof RUNTIMES;

/** Runs a program of the project, and gives what it prints. */
async function run(runtime: Runtime, file: string, ...words: string[]): Promise<string> {
  const [program, ...options] = RUNTIMES[runtime];
  const env = { ...process.env, ...(await adapterEnvironment(lavapipeDriver() === null ? 'swiftshader' : 'lavapipe')) };
  return (await promisify(execFile)(program, [...options, path.join(root, file), ...words], { env, cwd: root })).stdout;
}

let folder: string;
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-deno-'));
});
test.after(() => rm(folder, { recursive: true }));

test('kernels: both are within a bound of the truth, so within two of each other', async () => {
  const outputs = async (runtime: Runtime): Promise<Map<string, StoredTensor>> => {
    const file = path.join(folder, `${runtime}-outputs.safetensors`);
    await run(runtime, 'test/runtimes/write-outputs.ts', file);
    return parseSafetensors(await readFile(file), file).tensors;
  };
  const [ours, theirs] = [await outputs('node'), await outputs('deno')];
  const kernels = new Map<string, { elements: number; equal: number; worst: number }>();
  for (const [name, { bytes, dtype }] of theirs) {
    const bounds = theirs.get(`${name}, bound`);
    // Variants that need subgroups are there in Node alone; Deno does not offer them yet.
    const counterpart = ours.get(name);
    if (bounds === undefined || counterpart === undefined) continue;
    assert.is(bytes.length, counterpart.bytes.length, name);
    const values = (tensor: Uint8Array): Float32Array | Uint32Array =>
      dtype === 'F32'
        ? new Float32Array(new Uint8Array(tensor).buffer)
        : new Uint32Array(new Uint8Array(tensor).buffer);
    const [there, here, error] = [
      values(bytes),
      values(counterpart.bytes),
      new Float64Array(new Uint8Array(bounds.bytes).buffer),
    ];
    const kernel = name.slice(0, name.indexOf(','));
    const found = kernels.get(kernel) ?? { elements: 0, equal: 0, worst: 0 };
    for (let i = 0; i < here.length; i++) {
      found.elements++;
      if (Object.is(here[i], there[i])) found.equal++;
      else if (here[i] !== there[i])
        found.worst = Math.max(
          found.worst,
          Number.isFinite(there[i] - here[i]) ? Math.abs(there[i] - here[i]) / error[i] : Infinity,
        );
    }
    kernels.set(kernel, found);
  }
  assert.ok(kernels.size > 40, `${kernels.size} kernels were compared`);
  const other = [...kernels].filter(([, { equal, elements }]) => equal < elements);
  const compared = [...kernels.values()].reduce((sum, { elements }) => sum + elements, 0);
  console.log(
    `${kernels.size} kernels, ${compared} elements: ${kernels.size - other.length} kernels have equal bits${other.length > 0 ? '. Of the others, elements with other bits, and the largest difference in error bounds:' : ''}`,
  );
  for (const [kernel, { elements, equal, worst }] of other)
    console.log(
      `  ${kernel.padEnd(28)} ${((100 * (elements - equal)) / elements).toFixed(2).padStart(6)} %  ${worst.toFixed(3)}`,
    );
  for (const [kernel, { worst }] of kernels)
    assert.ok(worst <= 2, `${kernel}: Deno and Dawn are ${worst} bounds apart`);
});

test('the command trains, embeds and searches in Deno, and finds what Node finds', async () => {
  const at = (name: string): string => path.join(folder, name);
  const command = (runtime: Runtime, ...words: string[]): Promise<string> => run(runtime, 'src/cli/main.ts', ...words);
  await writeShapes(at('shapes'));
  await writeFile(at('unseen.txt'), 'shape e\nshape f\n');
  const training = [
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
    '6',
  ];
  await command('deno', 'train', '--data', at('shapes'), ...training, '--out', at('run'));
  const model = path.join(at('run'), 'model.safetensors');
  assert.is((await parseModel(await readFile(model), model)).state.get('classifier.weight')?.shape[0], 4);

  const sketch = path.join(at('shapes'), 'sketch', 'shape e', '0.png');
  const search = async (runtime: Runtime): Promise<{ readonly embeddings: Float32Array; readonly found: string[] }> => {
    const index = at(`${runtime}.safetensors`);
    await command(runtime, 'embed', '--model', model, '--images', path.join(at('shapes'), 'photo'), '--out', index);
    const [{ results }] = JSON.parse(
      await command(runtime, 'search', sketch, '--model', model, '--index', index, '--json'),
    ) as { results: { path: string }[] }[];
    return {
      embeddings: openIndex(await readFile(index)).embeddings,
      found: results.map(({ path: picture }) => picture),
    };
  };
  const [deno, node] = [await search('deno'), await search('node')];
  assert.is(deno.found.length, 10);
  assert.equal(deno.found, node.found);
  const apart = deno.embeddings.reduce((most, value, i) => Math.max(most, Math.abs(value - node.embeddings[i])), 0);
  console.log(`embeddings in Deno and in Node: at most ${apart.toExponential(1)} apart`);
  assert.ok(apart < 1e-4);
});

test.run();
