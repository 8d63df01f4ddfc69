import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Store } from '../../src/autodiff/store.ts';
import { adamSettings, sgdSettings, type OptimizerSettings } from '../../src/nn/optimizers.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';
import { smallTraining, type SmallTraining } from '../support/small-network.ts';

const KINDS = { adam: adamSettings(1e-2), adamw: adamSettings(1e-2, 'adamw'), sgd: sgdSettings(1e-2) } as const;

/** Keeps what begins so as it is, and lets the rest learn as it did. */
const keeping = (start: string, settings: OptimizerSettings): OptimizerSettings => ({
  ...settings,
  groups: [{ matches: (name) => name.startsWith(start), learningRate: 0, weightDecay: 1e-2 }, ...settings.groups],
});

/**
 * The stores of parameters and moments, each entry by its name, as they are after a step from moments that are not 0.
 */
async function afterStep(
  training: SmallTraining,
): Promise<{ readonly before: Map<string, string>; readonly after: Map<string, string> }> {
  const { network, storage, update, program, feeds } = training;
  const uniform = uniformNumbers(5);
  for (const { flat } of update.moments)
    storage.write(
      flat,
      Float32Array.from({ length: flat.length }, () => Math.abs(uniform())),
    );
  const entries = async (): Promise<Map<string, string>> => {
    const found: [string, string][] = [];
    for (const store of [network.parameters, ...update.moments]) found.push(...(await bitsByName(store, training)));
    return new Map(found);
  };
  const before = await entries();
  await program.run(feeds(1));
  return { before, after: await entries() };
}

async function bitsByName(store: Store, { storage }: SmallTraining): Promise<[string, string][]> {
  return Promise.all(
    [...store.entries].map(async ([name, { tensor }]): Promise<[string, string]> => [
      `${store.name}: ${name}`,
      new Uint32Array((await storage.read(tensor)).buffer).join(),
    ]),
  );
}

for (const [kind, settings] of Object.entries(KINDS)) {
  test(`${kind}: what does not learn keeps its bits and those of its moments, without a gradient; the rest gets those of a step in which all learn`, async () => {
    const device = await testDevice();
    const all = await smallTraining(device, 1, settings);
    const expected = await afterStep(all);
    const kernels = (training: SmallTraining, name: string): number =>
      training.program.plan.calls.filter(({ kernel }) => kernel.name === name).length;
    const updateKernel = kind === 'sgd' ? 'momentum_sgd' : 'adam';
    assert.is(kernels(all, updateKernel), 1);

    // The first, the last, and some in the middle, which parts the others.
    for (const [start, passes] of [
      ['convolution.', 1],
      ['linear.', 1],
      ['norm.', 2],
    ] as const) {
      const some = await smallTraining(device, 1, keeping(start, settings));
      const { before, after } = await afterStep(some);
      for (const [name, bits] of after)
        assert.is(bits, (name.includes(`: ${start}`) ? before : expected.after).get(name), `${start} kept, ${name}`);
      for (const [name, bits] of expected.after) assert.is.not(bits, expected.before.get(name), name);

      const learning = [...some.network.parameters.entries.keys()].filter((name) => !name.startsWith(start));
      assert.equal([...some.update.gradients.entries.keys()], learning);
      assert.is(kernels(some, 'fill'), kernels(all, 'fill'));
      assert.is(kernels(some, updateKernel), passes);
      some.program.destroy();
      some.storage.destroy();
    }
    all.program.destroy();
    all.storage.destroy();
  });
}

test('an optimiser under which nothing learns is refused', async () => {
  const device = await testDevice();
  const message = await smallTraining(device, 1, keeping('', KINDS.sgd)).then(() => '', String);
  assert.match(message, /RangeError: no parameter learns/);
});

test.run();
