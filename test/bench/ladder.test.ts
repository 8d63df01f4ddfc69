// Every rung of every ladder against the float64 reference of its kernel, on the kernel's own ragged cases.
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import convolution from '../../bench/ladder/convolution.ts';
import type { Ladder } from '../../bench/ladder/ladder.ts';
import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { testDevice } from '../support/device.ts';
import { testKernel } from '../support/kernel-test.ts';

const folder = new URL('../../bench/ladder/', import.meta.url);
const NAMES = readdirSync(folder)
  .map((file) => file.replace('.ts', ''))
  .filter((name) => name !== 'ladder' && name !== 'shader');
/** Limits that every adapter has: whether there is an earlier version of a case does not depend on more. */
const TRAITS = {
  kind: 'cpu',
  subgroupSize: 0,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16384,
  maxWorkgroupsPerDimension: 65535,
} as const;

/** The earlier versions alone, on the cases that they can do; those that ship have tests of their own. */
function rungsOf<Problem>(kernel: Kernel<Problem>): Kernel<Problem> {
  const calls = (problem: Problem, traits: AdapterTraits): KernelCall[] =>
    kernel.calls(problem, traits).filter(({ variant }) => !variant.startsWith('shipped'));
  return { ...kernel, calls, cases: kernel.cases.filter((problem) => calls(problem, TRAITS).length > 0) };
}

for (const name of NAMES) {
  const { default: ladder } = (await import(new URL(`${name}.ts`, folder).href)) as { default: Ladder<unknown> };
  const rungs = rungsOf(ladder.kernel);
  test(`${name} has a naive version and cases for it`, () => {
    assert.ok(rungs.cases.length > 0);
    for (const problem of rungs.cases) assert.match(rungs.calls(problem, TRAITS)[0].variant, /^1 .*naive|^2 /);
  });
  testKernel(rungs);
}

test('every ladder has its shaders, and every shader of a ladder its rung', () => {
  const shaders = readdirSync(new URL('../../shaders/ladder/', import.meta.url)).map((file) =>
    file.replace('.wgsl', ''),
  );
  const sources = NAMES.map((name) => readFileSync(new URL(`${name}.ts`, folder), 'utf8')).join('');
  for (const shader of shaders)
    assert.ok(sources.includes(`'${shader}'`), `nothing runs shaders/ladder/${shader}.wgsl`);
});

test('a ladder begins with the naive version and ends with what a program runs', async () => {
  const { traits } = await testDevice();
  const problem = {
    batch: 1,
    height: 8,
    width: 8,
    inputChannels: 4,
    outputChannels: 8,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
  } as const;
  const variants = convolution.kernel.calls(problem, traits).map(({ variant }) => variant);
  assert.equal(variants.slice(0, 3), ['1 naive', '2 vectors of outputs', '3 workgroup tile']);
  assert.match(variants[variants.length - 1], /^shipped: /);
  assert.is(new Set(variants).size, variants.length);
});

test.run();
