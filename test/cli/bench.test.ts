// sketchgrad bench: small kernels with as few samples as it takes. That figures come out, not which.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Validator, type Schema } from '@cfworker/json-schema';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WgslBenchmarkResult } from '../../src/benchmark/wgsl/result.ts';
import type { Trace } from '../../src/benchmark/chrome-trace.ts';
import { runOnTestDevice } from '../support/device-command.ts';

const COUNT = 1000;
const SCALE = `struct P { count: u32, scale: f32 }
override SIZE: u32 = 64;
@group(0) @binding(0) var<uniform> p: P;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
var<workgroup> tile: array<f32, SIZE>;
@compute @workgroup_size(SIZE) fn main(@builtin(global_invocation_id) i: vec3u, @builtin(local_invocation_index) l: u32) {
  if (i.x < p.count) { tile[l] = a[i.x]; b[i.x] = tile[l] * p.scale + 1.0; }
}
`;
const TWICE = SCALE.replace('* p.scale + 1.0', '* p.scale + 1.0 + 0.0 * sin(a[i.x])').replace(
  /override SIZE.*/,
  'const SIZE: u32 = 128;',
);
const GIVEN = [
  '--buffer',
  `a:f32[${COUNT}]=random(3,0,1)`,
  '--buffer',
  `b:f32[${COUNT}]`,
  '--uniform',
  `p=count:${COUNT},scale:0.5`,
];
const BRIEF = ['--rounds', '3', '--seconds', '0.001'];

let folder: string;
const at = (name: string): string => path.join(folder, name);
test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sketchgrad-bench-'));
  await writeFile(at('scale.wgsl'), SCALE);
  await writeFile(at('twice.wgsl'), TWICE);
  await writeFile(
    at('right.mjs'),
    'export default ({ a }, { file }) => { if (!/wgsl$/.test(file)) throw new Error(file); return { b: a.map((x) => x / 2 + 1) }; };',
  );
  await writeFile(at('wrong.mjs'), 'export default ({ a }) => ({ b: a.map((x, i) => x / 2 + (i === 7 ? 2 : 1)) });');
});
test.after(() => rm(folder, { recursive: true }));

test('two files and a sweep: times, rates, roofline, occupancy, comparisons, right results, JSON by its schema, a trace', async () => {
  const words = [
    'bench',
    at('scale.wgsl'),
    at('twice.wgsl'),
    '--workgroups',
    `${COUNT}/SIZE`,
    '--workgroups',
    '8',
    '--override',
    'SIZE=32,64',
  ];
  const { code, stdout, stderr } = await runOnTestDevice([
    ...words,
    ...GIVEN,
    ...BRIEF,
    '--flops',
    `2*${COUNT}`,
    '--check',
    at('right.mjs'),
    '--json',
    '--trace',
    at('trace.json'),
  ]);
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout) as WgslBenchmarkResult;
  const schema = JSON.parse(
    await readFile(fileURLToPath(new URL('../../docs/benchmark.schema.json', import.meta.url)), 'utf8'),
  ) as Schema;
  assert.equal(new Validator(schema, '2020-12').validate(result).errors, []);
  assert.equal(
    result.kernels.map(({ label, workgroups, workgroupSize, workgroupBytes, bytes }) => [
      label,
      workgroups[0],
      workgroupSize[0],
      workgroupBytes,
      bytes,
    ]),
    [
      ['scale.wgsl:main SIZE=32', 32, 32, 128, 8 * COUNT + 8],
      ['scale.wgsl:main SIZE=64', 16, 64, 256, 8 * COUNT + 8],
      ['twice.wgsl:main', 8, 128, 512, 8 * COUNT + 8],
    ],
  );
  for (const kernel of result.kernels) {
    assert.ok(kernel.samples.length === 3 && kernel.samples.every((sample) => sample > 0));
    assert.ok(kernel.repeats > 1, `${kernel.repeats} dispatches in a sample`);
    assert.ok(Math.abs(kernel.gigaflops! - (2 * COUNT) / kernel.median / 1e6) < 1e-12);
    // So little work: what a dispatch costs is most of it, or else the workgroups' start.
    assert.match(kernel.bound!, /launch|latency/);
    assert.is(kernel.check?.passed, true);
  }
  assert.equal(
    result.comparisons.map(({ baseline, candidate, low, high }) => [baseline, candidate, low, high]),
    [['scale.wgsl:main SIZE=32', 'twice.wgsl:main', null, null]],
  );
  const { traceEvents } = JSON.parse(await readFile(at('trace.json'), 'utf8')) as Trace;
  const samples = traceEvents.filter(
    ({ name, args }) => name === 'twice.wgsl:main' && args?.['us a dispatch'] !== undefined,
  );
  assert.ok(samples.length >= 3);
});

test('the table says all of it; a wrong result ends the command with an error', async () => {
  const words = [
    'bench',
    at('scale.wgsl'),
    '--workgroups',
    '16',
    '--ceilings',
    'skip',
    '--clock',
    'wall',
    ...GIVEN,
    ...BRIEF,
  ];
  const { code, stdout, stderr } = await runOnTestDevice([...words, '--check', at('wrong.mjs')]);
  assert.is(code, 1);
  assert.match(stdout, /Times by the host's clock; a sample is \d+ dispatches in one pass\./);
  assert.match(stdout, /^scale\.wgsl:main +[\d.]+ +[\d.]+ +[\d.]+ +3 +- +[\d.]+ +- +-$/m);
  assert.match(
    stdout,
    /16 x 1 x 1 workgroups of 64 x 1 x 1, 256 bytes of workgroup memory; 8008 bytes \(each bound byte once\)/,
  );
  assert.match(stdout, /b: WRONG in 1 of 1000 elements; b\[7\] is/);
  assert.match(stderr, /scale\.wgsl:main: 1 of 1000 elements of b differ from .*wrong\.mjs; b\[7\] is/);
});

test('errors name the file, the binding, the flag, and what to do', async () => {
  await writeFile(at('broken.wgsl'), 'fn f() {}\n@compute @workgroup_size(1) fn main() {\n  let x: u32 = 1.5;\n}\n');
  const launch = ['--workgroups', '16'];
  const cases: readonly (readonly [string[], RegExp])[] = [
    [
      [at('broken.wgsl'), ...launch],
      /broken\.wgsl does not compile\.[^]*error at 3:\d+: [^]*> +3 \|   let x: u32 = 1\.5;/,
    ],
    [[at('missing.wgsl'), ...launch], /missing\.wgsl: ENOENT/],
    [[at('scale.wgsl'), ...GIVEN], /--workgroups is needed/],
    [
      [at('scale.wgsl'), ...launch, ...GIVEN.slice(0, 2), ...GIVEN.slice(4)],
      /scale\.wgsl: binding b \(array<f32.*has no size: give it one with --buffer b:f32\[COUNT\]/,
    ],
    [
      [at('scale.wgsl'), ...launch, ...GIVEN, '--buffer', 'c:f32[4]'],
      /--buffer c: the entry point uses no such binding; it uses p, a, b/,
    ],
    [[at('scale.wgsl'), ...launch, ...GIVEN, '--buffer', 'a:f32[4]'], /--buffer a is given twice/],
    [[at('scale.wgsl'), ...launch, ...GIVEN.slice(0, 4)], /uniform p \(P\) has no values/],
    [
      [at('scale.wgsl'), ...launch, ...GIVEN, '--override', 'TILE=4'],
      /--override TILE: there is no such override constant, but SIZE/,
    ],
    [
      [at('scale.wgsl'), '--workgroups', '9999999', ...GIVEN],
      /--workgroups 9999999,1,1: this adapter allows 65535 .*maxComputeWorkgroupsPerDimension/,
    ],
    [
      [at('scale.wgsl'), ...launch, ...GIVEN.slice(2), '--buffer', 'a:f32[64x1024x1024x1024]'],
      /binding a has \d+ bytes, and this adapter binds at most \d+ .*fewer elements/,
    ],
    [
      [at('scale.wgsl'), ...launch, ...GIVEN, '--override', 'SIZE=99999'],
      /scale\.wgsl:main SIZE=99999 makes no pipeline/,
    ],
  ];
  for (const [words, message] of cases) {
    const { code, stderr } = await runOnTestDevice(['bench', ...words, '--ceilings', 'skip', ...BRIEF]);
    assert.is(code, 1, String(message));
    assert.match(stderr, message);
  }
});

test.run();
