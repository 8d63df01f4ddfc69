import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scale } from '../../kernels/elementwise/functions.ts';
import { pointwiseKernel } from '../../kernels/elementwise/pointwise.ts';
import { tuningKey, type TuningProblem } from '../../src/autodiff/variant-selector.ts';
import type { Device } from '../../src/gpu/device.ts';
import { Digests } from '../../src/tuning/digests.ts';
import { emptyRecords, type ChoiceRecord } from '../../src/tuning/records.ts';
import { KNOWN_ADAPTERS, serializeTables, tableFor, tableOf } from '../../src/tuning/tables.ts';

const device = {
  description: { vendor: 'v', architecture: 'a', device: 'llvmpipe-llvm-15-0-6-256-bits-', description: 'driver 1' },
  traits: { subgroupSize: 8 },
} as Device;
const tuningProblem = (count: number): TuningProblem => ({
  kernel: pointwiseKernel(scale),
  problem: { count },
  calls: ['preferred', 'other', 'third'].map((variant) => ({ variant, operands: {}, dispatches: [] })),
  uses: 1,
});
const record = (variant: string, milliseconds: Record<string, number>): ChoiceRecord => ({
  variant,
  code: 'c0de',
  effort: 'full',
  milliseconds,
});

const tuningProblems = [tuningProblem(3), tuningProblem(1), tuningProblem(2), tuningProblem(4)];
const records = {
  ...emptyRecords('here'),
  choices: new Map([
    [tuningKey(tuningProblems[0]), record('preferred', { preferred: 1.23456, third: 5, other: 2 })],
    [tuningKey(tuningProblems[1]), record('other', { preferred: 3, other: 2 })],
    // With a single right variant nothing was measured.
    [tuningKey(tuningProblems[2]), record('preferred', {})],
    ['of another workload', record('other', { other: 1 })],
  ]),
};
const code = await new Digests().ofCall(tuningProblems[0].calls[0]);
const table = await tableOf(device, tuningProblems, records, '2026-11-25');

test('a table has all that was measured of its problems, also where the preference of the kernel was the fastest', () => {
  assert.equal(table, {
    device: 'llvmpipe',
    subgroupSize: 8,
    measured: 'driver 1, 2026-11-25',
    problems: 2,
    preferenceBest: 1,
    choices: [
      ['scale {"count":1}', code, 'other', { other: 2, preferred: 3 }],
      ['scale {"count":3}', code, 'preferred', { preferred: 1.23, other: 2 }],
    ],
  });
});

test('it comes back from its file, one choice a line, and is found for its adapter alone', () => {
  const text = serializeTables([table, { ...table, device: 'another', choices: [] }]);
  const tables = JSON.parse(text) as typeof KNOWN_ADAPTERS;
  assert.equal(tables[0], table);
  assert.is(text.split('\n').filter((line) => line.startsWith('["scale')).length, 2);
  assert.equal(tableFor(device, tables), table);
  assert.is(tableFor({ ...device, traits: { ...device.traits, subgroupSize: 4 } } as Device, tables), undefined);
});

test('the shipped tables say how much of what they hold bears out the kernels', () => {
  for (const { problems, preferenceBest, choices } of KNOWN_ADAPTERS) {
    assert.is(choices.length, problems);
    assert.ok(preferenceBest <= problems);
    for (const [key, code, variant, milliseconds] of choices) {
      assert.match(key, /^[a-z0-9_]+ \{.*\}( prepared)?$/);
      assert.match(code, /^[0-9a-f]{16}$/);
      assert.ok(milliseconds[variant] > 0);
    }
  }
});

test.run();
