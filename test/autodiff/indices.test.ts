// Indices from data that are out of range: every op that takes some, however they reach it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exact, type Kernel } from '../../kernels/kernel.ts';
import { gradient } from '../../src/autodiff/gradient.ts';
import { apply, use, type Op } from '../../src/autodiff/op.ts';
import { quadrupletLoss, softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { relu } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { reshape } from '../../src/autodiff/ops/reshape.ts';
import { scatterRows, selectRows } from '../../src/autodiff/ops/rows.ts';
import { Program, type Feeds } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { constant, IndexError, input, ParameterStore, type Tensor } from '../../src/autodiff/tensor.ts';
import { testDevice } from '../support/device.ts';

const FAR = 300_000_000;

/** Ops on a table or on embeddings of four rows. Index 4 is the first out of range (2 for domains). */
const takers: Readonly<
  Record<string, { readonly end: number; readonly op: string; readonly build: (x: Tensor, indices: Tensor) => Tensor }>
> = {
  selectRows: { end: 4, op: 'selectRows', build: (x, indices) => selectRows(x, indices) },
  'the gradient of selectRows': {
    end: 4,
    op: 'selectRows',
    build: (x, indices) => gradient(sum(relu(selectRows(x, indices))), [x])[0],
  },
  scatterRows: { end: 4, op: 'scatterRows', build: (x, indices) => scatterRows(x, indices, x) },
  softmaxCrossEntropy: { end: 4, op: 'softmaxCrossEntropy', build: (x, indices) => softmaxCrossEntropy(x, indices) },
  'the gradient of softmaxCrossEntropy': {
    end: 4,
    op: 'softmaxCrossEntropy',
    build: (x, indices) => gradient(softmaxCrossEntropy(x, indices), [x])[0],
  },
  'domains of quadrupletLoss': {
    end: 2,
    op: 'quadrupletLoss',
    build: (x, indices) => quadrupletLoss(x, constant('labels', [4], Uint32Array.of(0, 0, 1, 1)), indices).loss,
  },
};

/** Integers out of a kernel, as an op of somebody's own may compute them. */
const copies: Kernel<{ readonly count: number }> = {
  name: 'copies',
  calls: ({ count: length }) => [
    {
      variant: 'one invocation',
      operands: { values: { role: 'input', type: 'u32', length }, copied: { role: 'output', type: 'u32', length } },
      dispatches: [
        {
          shader: {
            name: 'copies.wgsl',
            source:
              '@group(0) @binding(1) var<storage, read_write> values: array<u32>;\n@group(0) @binding(2) var<storage, read_write> copied: array<u32>;\n@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) { copied[id.x] = values[id.x]; }',
          },
          operands: ['values', 'copied'],
          workgroups: [length, 1, 1],
        },
      ],
    },
  ],
  reference: (_, { values }) => ({ copied: exact(values) }),
  cost: ({ count }) => ({ flop: 0, bytes: 8 * count }),
  cases: [],
};

const copyOp: Op<null> = {
  name: 'copies',
  infer: ([values]) => [{ shape: values.shape, type: 'u32' }],
  lower: ({ inputs: [values], outputs: [copied] }) => [use(copies, { count: values.length }, { values, copied })],
};

const copied = (values: Tensor): Tensor => apply(copyOp, [values], null)[0];

/** How indices reach the op: as they are fed, through a view, or computed on the device. */
const ways: Readonly<Record<string, (indices: Tensor) => Tensor>> = {
  fed: (indices) => indices,
  'under another shape': (indices) => reshape(indices, [4]),
  computed: copied,
};

const x = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));

async function refused(run: () => Promise<unknown>): Promise<Error> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  return assert.unreachable('nothing was refused') as never;
}

for (const [title, { end, op, build }] of Object.entries(takers)) {
  for (const [way, through] of Object.entries(ways)) {
    test(`${title}, indices ${way}: the last row is right, the one behind it ends the run and no other`, async () => {
      const storage = new DeviceStorage(await testDevice());
      const shape = way === 'under another shape' ? [2, 2] : [4];
      const result = build(input('x', [4, 4]), through(input('ids', shape, 'u32')));
      const program = await Program.compile(storage, { outputs: { result } });
      const good: Feeds = { x, ids: Uint32Array.of(0, 1, end - 1, 0) };
      const expected = [...(await program.run(good)).result];
      assert.ok(expected.every(Number.isFinite));
      // Results are read late, with good runs before and behind.
      for (const value of [end, FAR, 0xffffff9c, 0xffffffff]) {
        const before = await program.submit(good);
        const bad = refused(async () => (await program.submit({ x, ids: Uint32Array.of(0, 1, value, value) })).results);
        const after = await program.submit(good);
        const error = await bad;
        assert.instance(error, IndexError);
        assert.match(
          error.message,
          new RegExp(`^${op}: row 2 of .*\\[.*\\] u32 is ${value}; an index from 0 to ${end - 1} was expected$`),
        );
        assert.equal([[...(await before.results).result], [...(await after.results).result]], [expected, expected]);
      }
      program.destroy();
    });
  }

  test(`${title}, constant indices: refused when it is compiled`, async () => {
    const storage = new DeviceStorage(await testDevice());
    const result = build(input('x', [4, 4]), constant('ids', [4], Uint32Array.of(0, 1, 1, end)));
    const error = await refused(() => Program.compile(storage, { outputs: { result } }));
    assert.instance(error, IndexError);
    assert.match(error.message, `row 3 of ids [4] u32 is ${end}; an index from 0 to ${end - 1} was expected`);
  });
}

test('bytes that begin between words are checked as the words that they are', async () => {
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { rows: selectRows(input('x', [4, 4]), input('ids', [1], 'u32')) },
  });
  const bytes = new Uint8Array(8);
  bytes[1] = 3;
  assert.equal([...(await program.run({ x, ids: bytes.subarray(1, 5) })).rows], [...x.subarray(12)]);
  bytes[2] = 1;
  assert.instance(await refused(() => program.run({ x, ids: bytes.subarray(1, 5) })), IndexError);
  program.destroy();
});

test('no parameter beside a table is read, also where a kernel is run without the check', async () => {
  const device = await testDevice();
  const store = new ParameterStore('parameters');
  const table = store.add('embedding', [64, 1], { kind: 'constant', value: 1 });
  store.add('secret', [64], { kind: 'constant', value: 42 });
  // An op that takes the same kernel, but declares no indices.
  const unchecked: Op<null> = {
    name: 'unchecked',
    infer: ([, ids]) => [{ shape: ids.shape }],
    lower: (node) => {
      const { origin } = selectRows(node.inputs[0], node.inputs[1]);
      const [{ kernel, problem }] = origin.kind === 'node' ? origin.node.op.lower(origin.node, new Map()) : [];
      return [{ kernel, problem, operands: { table: node.inputs[0], indices: node.inputs[1], rows: node.outputs[0] } }];
    },
  };
  const program = await Program.compile(new DeviceStorage(device), {
    outputs: { rows: apply(unchecked, [table, input('ids', [4], 'u32')], null)[0] },
  });
  const { rows } = await program.run({ ids: Uint32Array.of(63, 64, FAR, 0xffffffff) });
  assert.equal([...rows], [1, NaN, NaN, NaN]);
  program.destroy();
});

test("an op of one's own declares its indices and is checked", async () => {
  const own: Op<null> = { ...copyOp, name: 'own', indices: ({ inputs: [ids] }) => [{ indices: ids, end: 7 }] };
  const program = await Program.compile(new DeviceStorage(await testDevice()), {
    outputs: { own: apply(own, [input('ids', [1], 'u32')], null)[0], other: copied(input('more', [1], 'u32')) },
  });
  await program.run({ ids: [6], more: [9] });
  assert.match((await refused(() => program.run({ ids: [7], more: [9] }))).message, 'own: row 0 of ids [1] u32 is 7');
  program.destroy();
});

if (process.env.SKETCHGRAD_ROBUST === undefined && process.versions.deno === undefined) {
  test("all of this holds with the driver's own bounds checks as well", async () => {
    const { description } = await testDevice();
    const adapter = /swiftshader/i.test(description.device) ? 'swiftshader' : 'lavapipe';
    const runner = fileURLToPath(new URL('../../scripts/test.ts', import.meta.url));
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--import', 'tsx', runner, 'test/autodiff/indices', '--adapter', adapter],
      { encoding: 'utf8', env: { ...process.env, SKETCHGRAD_ROBUST: '1' } },
    );
    assert.is(status, 0, stdout);
    assert.match(stdout, /\n2\d passed, 0 failed/);
  });
}

test.run();
