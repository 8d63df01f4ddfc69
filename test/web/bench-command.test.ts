// sketchgrad bench in Chromium, and the code that Dawn and naga generate.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeGeneratedCode } from '../../src/cli/bench/generated-code.ts';
import type { WgslBenchmarkResult } from '../../src/benchmark/wgsl/result.ts';
import { runCaptured } from '../support/command-output.ts';

const CODE = `override SIZE: u32 = 16;
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;
@compute @workgroup_size(SIZE) fn main(@builtin(global_invocation_id) i: vec3u) { b[i.x] = a[i.x] * 3u; }
`;

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-bench-'));
  await writeFile(at('triple.wgsl'), CODE);
  await writeFile(at('check.mjs'), 'export default ({ a }) => ({ b: a.map((x) => 3 * x) });');
  await writeFile(
    at('a.bin'),
    Uint32Array.from({ length: 64 }, (_, index) => index * index),
  );
});
test.after(() => rm(folder, { recursive: true }));

test('a kernel is timed in Chromium, with right results; errors come out of the page by their names', async () => {
  const words = [
    'bench',
    at('triple.wgsl'),
    '--workgroups',
    '4',
    '--buffer',
    `a=${at('a.bin')}`,
    '--buffer',
    'b:u32[64]',
  ];
  const brief = [
    '--in',
    'chromium',
    '--adapter',
    'swiftshader',
    '--ceilings',
    'skip',
    '--rounds',
    '3',
    '--seconds',
    '0.001',
  ];
  const { code, stdout, stderr } = await runCaptured([...words, ...brief, '--check', at('check.mjs'), '--json']);
  assert.is(code, 0, stderr);
  const { runtime, kernels } = JSON.parse(stdout) as WgslBenchmarkResult;
  assert.match(runtime ?? '', /^Chromium \d+/);
  assert.ok(kernels[0].samples.every((sample) => sample > 0));
  assert.is(kernels[0].check?.passed, true);
  const refused = await runCaptured([
    'bench',
    at('triple.wgsl'),
    '--workgroups',
    '4',
    '--buffer',
    'b:u32[64]',
    ...brief,
  ]);
  assert.is(refused.code, 1);
  assert.match(
    refused.stderr,
    /triple\.wgsl: binding a \(array<u32>.*has no size: give it one with --buffer a:u32\[COUNT\]/,
  );
});

test("Dawn's SPIR-V and naga's HLSL, with the given override constants", async () => {
  const pipeline = {
    label: 'triple.wgsl:main SIZE=8',
    file: 'triple.wgsl',
    code: CODE,
    entryPoint: 'main',
    overrides: { SIZE: 8 },
  };
  const { files, missing } = await writeGeneratedCode(at('generated'), [pipeline], 'swiftshader', false);
  assert.equal(missing, ['triple.wgsl:main SIZE=8, MSL: only Dawn on macOS generates it']);
  assert.equal(files, ['triple.wgsl-main-SIZE=8.spvasm', 'triple.wgsl-main-SIZE=8.naga.hlsl']);
  const [spirv, hlsl] = await Promise.all(files.map((name) => readFile(at('generated', name), 'utf8')));
  assert.match(spirv, /OpExecutionMode %main LocalSize 8 1 1/);
  assert.match(hlsl, /\[numthreads\(8, 1, 1\)\]/);
});

test.run();
