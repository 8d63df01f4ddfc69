import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readdirSync } from 'node:fs';
import { classifierInference, classifierTraining, demoWorkloads } from '../../src/cli/workloads.ts';
import { plan, questionsOf } from '../../src/autodiff/plan.ts';
import type { AdapterTraits } from '../../src/gpu/dispatch.ts';
import { ALL_KERNELS } from '../../src/tuning/kernels.ts';
import { Trials } from '../../src/tuning/trials.ts';

test('the list of all kernels is complete', async () => {
  const folder = new URL('../../kernels/', import.meta.url);
  const missing: string[] = [];
  for (const file of readdirSync(folder)) {
    const exported = Object.entries((await import(new URL(file, folder).href)) as Record<string, unknown>);
    for (const [name, value] of exported) {
      const isKernel = typeof value === 'object' && value !== null && 'calls' in value && 'reference' in value;
      if (isKernel && !ALL_KERNELS.includes(value as never)) missing.push(`${file}: ${name}`);
    }
  }
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
      for (const question of questionsOf(plan({ ...workload, traits, maxBufferBytes: Number.MAX_SAFE_INTEGER }))) {
        for (const call of question.calls)
          if (trials.of(question, call) === null)
            unproven.add(`${question.kernel.name}, ${call.variant}, for ${JSON.stringify(question.problem)}`);
      }
    }
    assert.equal([...unproven], []);
  });
}

test.run();
