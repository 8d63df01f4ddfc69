import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { classifierInference, classifierTraining, demoWorkloads } from '../../src/cli/training/workloads.ts';
import { plan, tuningProblemsOf } from '../../src/autodiff/plan.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { ALL_KERNELS, KERNEL_MODULES } from '../../kernels/index.ts';
import { Trials } from '../../src/tuning/trials.ts';

const root = new URL('../../', import.meta.url);
const filesBelow = (folder: string): string[] =>
  readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file.replaceAll(path.sep, '/')}`);

test('the registry has every kernel that a module of kernels/ declares', async () => {
  const missing: string[] = [];
  for (const file of filesBelow('kernels')) {
    const exported = Object.entries((await import(new URL(file, root).href)) as Record<string, unknown>);
    for (const [name, value] of exported) {
      const isKernel = typeof value === 'object' && value !== null && 'calls' in value && 'reference' in value;
      if (isKernel && !ALL_KERNELS.includes(value as never)) missing.push(`${file}: ${name}`);
    }
  }
  assert.equal(missing, []);
});

test('each kernel has a name of its own, a benchmark under the name of its module, and a test of its cases', () => {
  const names = ALL_KERNELS.map(({ name }) => name);
  assert.is(new Set(names).size, names.length);
  const files = new Set(['kernels', 'bench/kernels', 'test/kernels'].flatMap(filesBelow));
  const has = (file: string, text: string): boolean =>
    files.has(file) && readFileSync(new URL(file, root), 'utf8').includes(text);
  const missing = KERNEL_MODULES.flatMap(({ family, module }) => [
    // A family may have one file for all its benchmarks.
    ...([module, family].some((name) => files.has(`bench/kernels/${family}/${name}.bench.ts`))
      ? []
      : [`bench/kernels/${family}/${module}.bench.ts`]),
    // A family has one suite for all its cases, or one for each module where they take long.
    ...(has(`test/kernels/${family}/cases.test.ts`, `testFamily('${family}');`) ||
    has(`test/kernels/${family}/${module}.test.ts`, `testModule('${family}', '${module}');`)
      ? []
      : [`test/kernels/${family}/${module}.test.ts`]),
  ]);
  assert.equal(missing, []);
});

const limits = { maxWorkgroupInvocations: 256, maxWorkgroupStorageBytes: 32768, maxWorkgroupsPerDimension: 65535 };
const ADAPTERS: Record<string, AdapterTraits> = {
  lavapipe: { kind: 'cpu', subgroupSize: 8, f16: true, ...limits },
  swiftshader: { kind: 'cpu', subgroupSize: 4, ...limits },
  'a GPU': { kind: 'gpu', subgroupSize: 32, f16: true, ...limits },
  'a GPU with matrix units': {
    kind: 'gpu',
    subgroupSize: 32,
    f16: true,
    matrixUnits: { products: [{ component: 'f32', rows: 8, columns: 8, depth: 8 }], subgroupSizes: [32, 32] },
    ...limits,
  },
  'a GPU without subgroups of one size': { kind: 'gpu', subgroupSize: 0, ...limits },
};

for (const [name, traits] of Object.entries(ADAPTERS)) {
  test(`no variant of ResNet50 runs code on ${name} that its kernel's cases or miniatures leave out`, async () => {
    const workloads = [
      ...(await demoWorkloads()),
      ...[1, 0.25].flatMap((width) => [
        classifierTraining({ batch: 16, size: 64, width }),
        classifierInference({ batch: 1, size: 224, width }),
        classifierTraining({ batch: 8, size: 224, width }),
      ]),
      ...(traits.f16 === true
        ? [
            classifierTraining({ batch: 8, size: 224, width: 1, precision: 'f16' }),
            classifierInference({ batch: 1, size: 224, width: 1, precision: 'f16' }),
          ]
        : []),
    ];
    const trials = new Trials(traits);
    const unproven = new Set<string>();
    for (const workload of workloads) {
      for (const question of tuningProblemsOf(plan({ ...workload, traits, maxBufferBytes: Number.MAX_SAFE_INTEGER }))) {
        for (const call of question.calls)
          if (trials.of(question, call) === null)
            unproven.add(`${question.kernel.name}, ${call.variant}, for ${JSON.stringify(question.problem)}`);
      }
    }
    assert.equal([...unproven], []);
  });
}

test.run();
