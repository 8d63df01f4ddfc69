import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolution } from '../../kernels/convolution/forward.ts';
import { convolutionWeightGradient } from '../../kernels/convolution/weight-gradient.ts';
import { predictionsPage } from '../../scripts/predictions.ts';
import { resourcesOf } from '../../scripts/shader-resources.ts';
import { ALL_KERNELS } from '../../kernels/index.ts';

const TRAITS = {
  kind: 'gpu',
  subgroupSize: 32,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 32768,
  maxWorkgroupsPerDimension: 65535,
} as const;

test('docs/lab/predictions.md is what the code of today predicts, and names every kernel', async () => {
  const page = readFileSync(new URL('../../docs/lab/predictions.md', import.meta.url), 'utf8');
  // Not assert.is: thousands of lines of difference help nobody.
  assert.ok(
    page === (await predictionsPage()),
    'the page is older than kernels or cost model: run npm run bench:predict and commit it',
  );
  for (const { name } of ALL_KERNELS) if (!name.startsWith('measure_')) assert.ok(page.includes(`| ${name} |`), name);
});

test('the workgroup memory that a shader declares is what its tiles say', () => {
  const shape = {
    batch: 4,
    height: 28,
    width: 28,
    inputChannels: 128,
    outputChannels: 128,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
  } as const;
  const calls = [...convolution.calls(shape, TRAITS), ...convolutionWeightGradient.calls(shape, TRAITS)].filter(
    ({ product }) => product !== undefined && product.workgroupBytes > 0,
  );
  assert.ok(calls.length > 5);
  for (const { variant, product, dispatches } of calls)
    assert.is(
      Math.max(...dispatches.map((dispatch) => resourcesOf(dispatch).workgroupBytes)),
      product!.workgroupBytes,
      variant,
    );
});

test('resources are read from declarations: constants, aliases, structures, and what the entry point reaches', () => {
  const source = `
    const HALF = (LANES + 1u) / 2u; // not 99
    struct Pair { first: Element, second: f32 }
    var<workgroup> used: array<Pair, HALF * select(1u, 2u, WIDE)>;
    alias Three = vec3f;
    var<workgroup> threes: array<Three, LANES>;
    var<workgroup> unused: array<f32, 1000>;
    fn helper() -> f32 { var kept: array<vec4f, 2>; return kept[0].x; }
    fn other() { unused[0] = 1.0; }
    @compute @workgroup_size(LANES, 2) fn main() { let sum = mat2x2f(); used[0].second = helper(); threes[0] = Three(); }
    @compute @workgroup_size(1) fn elsewhere() { other(); }`;
  const dispatch = (entryPoint: string, WIDE: boolean) => ({
    shader: { name: 'made up', source },
    entryPoint,
    constants: { LANES: 8, WIDE, Element: 'vec4f' },
    operands: [],
    workgroups: [1, 1, 1] as const,
  });
  // 8 and 4 pairs of five numbers, 8 x 16 bytes; 24 registers, 8 numbers of kept, 4 of sum.
  assert.equal(resourcesOf(dispatch('main', true)), {
    invocations: 16,
    workgroupBytes: 8 * 20 + 128,
    registers: 24 + 8 + 4,
  });
  assert.is(resourcesOf(dispatch('main', false)).workgroupBytes, 4 * 20 + 128);
  assert.equal(resourcesOf(dispatch('elsewhere', true)), { invocations: 1, workgroupBytes: 4000, registers: 24 });
});

test.run();
