import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import { tuningKey, RecordedSelection, type Choices, type TuningProblem } from '../../src/autodiff/variant-selector.ts';
import type { Shader } from '../../kernels/contract/dispatch.ts';
import { ceilDivide } from '../../kernels/contract/grid.ts';
import { Digests } from '../../src/tuning/digests.ts';
import { emptyRecords } from '../../src/tuning/records.ts';
import { EFFORTS, fastest, QualificationError, Tuner, type TunerOptions } from '../../src/tuning/tuner.ts';
import { testDevice } from '../support/device.ts';

type Behavior = 'right' | 'slow' | 'wrong' | 'broken';
interface Problem {
  readonly count: number;
}

/** Dispatches of a slow variant, each of which does all the work. */
const SLOWNESS = 150;

const elementwise = (operator: '+' | '*'): Shader => ({
  name: `test ${operator}`,
  source: `
@group(0) @binding(0) var<uniform> count: vec4u;
@group(0) @binding(1) var<storage, read_write> a: array<Element>;
@group(0) @binding(2) var<storage, read_write> b: array<Element>;
@group(0) @binding(3) var<storage, read_write> sum: array<Element>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < count.x) {
    sum[id.x] = a[id.x] ${operator} b[id.x];
  }
}
`,
});

/** sum = a + b, by variants that behave as a test wants them to. */
function addition(
  variants: Readonly<Record<string, Behavior>>,
  cases: readonly Problem[] = [{ count: 1 }, { count: 77 }],
): Kernel<Problem> & { references: number } {
  const call = (variant: string, behavior: Behavior, count: number): KernelCall => {
    const dispatch = {
      shader: behavior === 'wrong' ? elementwise('*') : elementwise('+'),
      // Each variant has code of its own.
      constants: {
        Element: behavior === 'broken' ? 'vec9f' : 'f32',
        WORKGROUP_SIZE: 8 * (1 + Object.keys(variants).indexOf(variant)),
      },
      parameters: [count],
      operands: ['a', 'b', 'sum'],
      workgroups: [ceilDivide(count, 8), 1, 1],
    } as const;
    return {
      variant,
      operands: {
        a: { role: 'input', type: 'f32', length: count },
        b: { role: 'input', type: 'f32', length: count },
        sum: { role: 'output', type: 'f32', length: count },
      },
      dispatches: new Array(behavior === 'slow' ? SLOWNESS : 1).fill(dispatch) as KernelCall['dispatches'],
    };
  };
  const kernel = {
    name: 'test addition',
    references: 0,
    calls: ({ count }: Problem) =>
      Object.entries(variants).map(([variant, behavior]) => call(variant, behavior, count)),
    reference: ({ count }: Problem, { a, b }: Readonly<Record<string, Float64Array>>) => {
      kernel.references++;
      const value = Float64Array.from({ length: count }, (_, i) => a[i] + b[i]);
      return { sum: { value, error: value.map((sum) => 2 ** -24 * Math.abs(sum)) } };
    },
    cost: ({ count }: Problem) => ({ flop: count, bytes: 12 * count }),
    cases,
  };
  return kernel;
}

function problemOf(kernel: Kernel<Problem>, count = 3000): TuningProblem {
  const problem = { count };
  return { kernel, problem, calls: kernel.calls(problem, undefined as never), uses: 1 };
}

async function selectFor(
  tuningProblems: readonly TuningProblem[],
  options: TunerOptions = {},
  wanted?: Choices,
): Promise<{
  readonly variants: readonly (string | undefined)[];
  readonly notes: readonly string[];
  readonly tuner: Tuner;
}> {
  const notes: string[] = [];
  const tuner = new Tuner(await testDevice(), { tables: [], onNote: (note) => notes.push(note), ...options });
  const choices = await tuner.select(tuningProblems, wanted);
  return { variants: tuningProblems.map((tuningProblem) => choices.get(tuningKey(tuningProblem))), notes, tuner };
}

test('a variant that computes something else is dropped and reported, whoever prefers it', async () => {
  const { variants, notes } = await selectFor([problemOf(addition({ product: 'wrong', sum: 'right' }))]);
  assert.equal(variants, ['sum']);
  assert.is(notes.length, 1);
  assert.match(
    notes[0],
    /test addition, product: dropped, for sum\[\d+\] is .*, expected .* within .*, on {"count":\d+}/,
  );
  assert.equal(
    (await selectFor([problemOf(addition({ sum: 'right', product: 'wrong' }))], { effort: 'quick' })).variants,
    ['sum'],
    'nor is it measured',
  );
});

test('so is one that does not compile', async () => {
  const { variants, notes } = await selectFor([problemOf(addition({ broken: 'broken', sum: 'right' }))]);
  assert.equal(variants, ['sum']);
  assert.match(notes[0], /broken: dropped, for it failed on {"count":1}: .* does not compile/);
});

test('where no variant computes correctly there is an error that says why of each', async () => {
  const error = await selectFor([problemOf(addition({ product: 'wrong', broken: 'broken' }))]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, QualificationError);
  assert.match(
    (error as Error).message,
    /test addition: no variant computes correctly .*\n {2}product: sum\[.*\n {2}broken: it failed/s,
  );
});

test('code that nothing verifies gives way to code that was verified', async () => {
  const large = 1e8;
  const unproven = await selectFor([problemOf(addition({ only: 'right' }, []), large)]);
  assert.equal(unproven.variants, ['only']);
  assert.match(unproven.notes[0], /no case of the kernel runs this code/);
  const kernel = addition({ untested: 'right', tested: 'right' });
  const { calls } = kernel;
  kernel.calls = (problem, traits) =>
    calls(problem, traits).filter(({ variant }) => problem.count > 1000 || variant === 'tested');
  assert.equal((await selectFor([problemOf(kernel, large)])).variants, ['tested']);
  assert.equal((await selectFor([problemOf(kernel, 2000)])).variants, ['untested'], 'a small problem is its own test');
  kernel.miniature = () => ({ count: 1001 });
  assert.equal((await selectFor([problemOf(kernel, large)])).variants, ['untested'], 'and so is its miniature');
});

test('a measured choice is the fast variant, not the preferred slow one; it is kept with its times', async () => {
  const tuningProblem = problemOf(addition({ slow: 'slow', fast: 'right' }));
  assert.equal((await selectFor([tuningProblem])).variants, ['slow'], 'off measures nothing');
  const { variants, tuner } = await selectFor([tuningProblem], { effort: 'quick' });
  assert.equal(variants, ['fast']);
  const record = tuner.records.choices.get(tuningKey(tuningProblem));
  assert.is(record?.variant, 'fast');
  assert.ok((record?.milliseconds.fast ?? 0) > 0);
});

test('the preferred variant stays unless another is faster by more than the noise', () => {
  assert.is(
    fastest([
      { median: 10, spread: 0.1 },
      { median: 9.9, spread: 0.1 },
    ]),
    0,
  );
  assert.is(
    fastest([
      { median: 10, spread: 2 },
      { median: 9, spread: 0.1 },
    ]),
    0,
  );
  assert.is(
    fastest([
      { median: 10, spread: 0.1 },
      { median: 9, spread: 0.1 },
      { median: 8, spread: 0.1 },
    ]),
    2,
  );
  assert.is(fastest([undefined, { median: 9, spread: 5 }, { median: 8, spread: 5 }]), 2);
});

test('a tuning keeps to its time: the most expensive problems come first, the others stay as their kernels prefer them', async () => {
  // Each look at the clock takes half a second of the tuner's time.
  let now = 0;
  const clock = (): number => (now += 500);
  const kernel = addition({ one: 'right', other: 'right' });
  const tuningProblems = Array.from({ length: 12 }, (_, index) => problemOf(kernel, 100 * (index + 1)));
  const { variants, notes, tuner } = await selectFor(tuningProblems, { effort: 'quick', clock });
  assert.ok(now <= EFFORTS.quick.limit + 3000, `${now} ms`);
  const measured = tuningProblems.map((tuningProblem) => tuner.records.choices.has(tuningKey(tuningProblem)));
  assert.ok(measured[11] && !measured[0]);
  assert.equal(
    measured,
    [...measured].sort((a, b) => Number(a) - Number(b)),
  );
  assert.match(notes.at(-1) ?? '', /took its 20 s; \d+ of 12 problems are left/);
  assert.ok(variants.every((variant) => variant !== undefined));
  const before = now;
  await tuner.select([problemOf(kernel, 5000)]);
  assert.ok(now - before <= 3000, 'the time is that of the tuner, not of each program');
});

test('records, shipped tables, preferences: in this order, and only for the very code they are about', async () => {
  const device = await testDevice();
  const tuningProblem = problemOf(addition({ first: 'right', second: 'right', third: 'right' }));
  const key = tuningKey(tuningProblem);
  const { tuner } = await selectFor([tuningProblem], { effort: 'quick' });
  const code = tuner.records.choices.get(key)?.code ?? '';
  const callOf = (name: string): KernelCall =>
    tuningProblem.calls.find(({ variant }) => variant === name) as KernelCall;
  const records = (variant: string, of = code): TunerOptions['records'] => ({
    ...emptyRecords('here'),
    choices: new Map([[key, { variant, code: of, effort: 'quick', milliseconds: {} }]]),
  });
  const tables = async (variant: string, of?: string): Promise<TunerOptions['tables']> => [
    {
      device: device.description.device,
      subgroupSize: device.traits.subgroupSize,
      measured: '',
      problems: 1,
      preferenceBest: 0,
      choices: [[key, of ?? (await new Digests().ofCall(callOf(variant))), variant, {}]],
    },
  ];
  const chosen = async (options: TunerOptions, of = tuningProblem): Promise<string | undefined> =>
    (await selectFor([of], options)).variants[0];
  const second = await tables('second');
  assert.is(await chosen({ tables: second }), 'second');
  assert.is(await chosen({ tables: second, records: records('third') }), 'third');
  assert.is(
    await chosen({ tables: await tables('second', 'other code'), records: records('third', 'other code') }),
    'first',
  );
  const withAnother = problemOf(addition({ first: 'right', second: 'right', third: 'right', new: 'right' }));
  assert.is(await chosen({ tables: second }, withAnother), 'second', 'a new variant voids no entry of a table');
  assert.is(await chosen({ records: records('no such variant') }), 'first');
  assert.is(
    await chosen({ tables: second, records: records('third'), deterministic: true, effort: 'quick' }),
    'first',
    'deterministic',
  );
});

test('a changed shader makes records void', async () => {
  const records = emptyRecords('here');
  const slow = addition({ slow: 'slow', fast: 'right' });
  await selectFor([problemOf(slow)], { effort: 'quick', records });
  const references = slow.references;
  assert.equal((await selectFor([problemOf(slow)], { records })).variants, ['fast']);
  assert.is(slow.references, references, 'what was proven is not tested again');
  const changed = addition({ slow: 'slow', fast: 'wrong' });
  const { variants } = await selectFor([problemOf(changed)], { records });
  assert.equal(variants, ['slow']);
  const better = addition({ slow: 'right', fast: 'right' });
  assert.equal((await selectFor([problemOf(better)], { records })).variants, ['slow'], 'the preference counts again');
  assert.ok(better.references > 0);
});

test('what is wanted comes first, and is verified all the same', async () => {
  const tuningProblem = problemOf(addition({ first: 'right', second: 'right', product: 'wrong' }));
  const wanted = (variant: string): Choices => new Map([[tuningKey(tuningProblem), variant]]);
  assert.equal((await selectFor([tuningProblem], { deterministic: true }, wanted('second'))).variants, ['second']);
  assert.equal((await selectFor([tuningProblem], {}, wanted('product'))).variants, ['first']);
});

test('a record of choices holds against what a tuner would choose now, and counts what it cannot hold', async () => {
  const tuningProblem = problemOf(addition({ first: 'right', second: 'right', product: 'wrong' }));
  const key = tuningKey(tuningProblem);
  const tuner = new Tuner(await testDevice(), { tables: [] });
  for (const rest of [tuner, undefined]) {
    const kept = new RecordedSelection(rest, new Map([[key, 'second']]));
    assert.is((await kept.select([tuningProblem])).get(key), 'second');
    assert.is(kept.replaced, 0);
    const gone = new RecordedSelection(rest, new Map([[key, 'of another adapter']]));
    assert.is((await gone.select([tuningProblem])).get(key), 'first');
    assert.is(gone.replaced, 1);
    assert.is(gone.record.get(key), 'first');
  }
  const refused = new RecordedSelection(tuner, new Map([[key, 'product']]));
  assert.is((await refused.select([tuningProblem])).get(key), 'first');
  assert.is(refused.replaced, 1);
});

test.run();
