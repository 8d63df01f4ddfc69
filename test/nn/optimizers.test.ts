import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { input, type ParameterStore } from '../../src/autodiff/tensor.ts';
import { EPSILON } from '../../kernels/kernel.ts';
import { add, multiply } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { Network } from '../../src/nn/layers.ts';
import {
  adamSettings,
  OPTIMIZER_KINDS,
  optimizerSettings,
  sgdSettings,
  type OptimizerKind,
  type OptimizerSettings,
} from '../../src/nn/optimizers/index.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { TrainingStep } from '../../src/nn/training-step.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';
import { smallTraining, type SmallTraining } from '../support/small-network.ts';

const KINDS: Readonly<Record<OptimizerKind, OptimizerSettings>> = {
  adam: adamSettings(1e-2),
  adamw: adamSettings(1e-2, 'adamw'),
  sgd: sgdSettings(1e-2),
  lamb: optimizerSettings('lamb', 1e-2),
  lars: optimizerSettings('lars', 1e-2),
};
const KERNELS: Readonly<Record<OptimizerKind, string>> = {
  adam: 'adam',
  adamw: 'adam',
  sgd: 'momentum_sgd',
  lamb: 'lamb',
  lars: 'lars',
};

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

async function bitsByName(store: ParameterStore, { storage }: SmallTraining): Promise<[string, string][]> {
  return Promise.all(
    [...store.entries].map(async ([name, { tensor }]): Promise<[string, string]> => [
      `${store.name}: ${name}`,
      new Uint32Array((await storage.read(tensor)).buffer).join(),
    ]),
  );
}

for (const kind of OPTIMIZER_KINDS) {
  const settings = KINDS[kind];
  test(`${kind}: what does not learn keeps its bits and those of its moments, without a gradient; the rest gets those of a step in which all learn`, async () => {
    const device = await testDevice();
    const all = await smallTraining(device, 1, settings);
    const expected = await afterStep(all);
    const kernels = (training: SmallTraining, name: string): number =>
      training.program.plan.calls.filter(({ kernel }) => kernel.name === name).length;
    const updateKernel = KERNELS[kind];
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

/** A tensor in float64, with the state of its optimizer. */
interface Trace {
  readonly w: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** Sum of the lengths of an element's steps, and of its largest magnitudes. */
  readonly travelled: Float64Array;
}

type Published = (trace: Trace, g: Float64Array, rate: number, decay: number, step: number, adapted: boolean) => void;
const norm = (values: Float64Array): number => Math.sqrt(values.reduce((total, value) => total + value * value, 0));

/** The papers' algorithms, as they print them. */
const PUBLISHED: Readonly<Record<'lamb' | 'lars', Published>> = {
  lamb({ w, first, second, travelled }, g, rate, decay, step, adapted) {
    const direction = g.map((gradient, i) => {
      first[i] = 0.9 * first[i] + 0.1 * gradient;
      second[i] = 0.999 * second[i] + 0.001 * gradient * gradient;
      const [m, v] = [first[i] / (1 - 0.9 ** step), second[i] / (1 - 0.999 ** step)];
      return m / (Math.sqrt(v) + 1e-6) + decay * w[i];
    });
    const ratio = adapted ? norm(w) / norm(direction) : 1;
    direction.forEach((part, i) => {
      w[i] -= rate * ratio * part;
      travelled[i] += Math.abs(rate * ratio * part);
    });
  },
  lars({ w, first, travelled }, g, rate, decay, _step, adapted) {
    const ratio = adapted ? (0.01 * norm(w)) / (norm(g) + decay * norm(w) + 1e-8) : 1;
    g.forEach((gradient, i) => {
      first[i] = 0.9 * first[i] + ratio * (gradient + decay * w[i]);
      w[i] -= rate * first[i];
      travelled[i] += Math.abs(rate * first[i]);
    });
  },
};

for (const kind of ['lamb', 'lars'] as const)
  test(`${kind}: 50 steps follow the published algorithm in float64, with its own learning rate in each`, async () => {
    const STEPS = 50;
    const device = await testDevice();
    const storage = new DeviceStorage(device);
    const network = new Network();
    // Several segments, one that is not full, and a vector, which is not adapted.
    const shapes = { large: [90, 101], small: [7, 9], vector: [70] } as const;
    const tensors = [
      network.table('large', ...shapes.large, { kind: 'uniform', bound: 0.5 }),
      network.table('small', ...shapes.small, { kind: 'uniform', bound: 2 }),
      network.vector('vector', ...shapes.vector, { kind: 'uniform', bound: 1 }),
    ];
    // The gradient of sum(w * g) by w is g.
    const loss = tensors
      .map((w) => sum(multiply(w, input(`gradient of ${w.name}`, w.shape))))
      .reduce((a, b) => add(a, b));
    const settings: OptimizerSettings = {
      ...optimizerSettings(kind, 0, { trustCoefficient: 0.01 }),
      groups: [
        { matches: (name) => name === 'vector', learningRate: 0.5, weightDecay: 0 },
        { matches: () => true, learningRate: 1, weightDecay: 0.02 },
      ],
    };
    await initializeNetwork(network, storage, 3);
    const update = trainingUpdate(network, loss, new Map(), settings);
    const training = await TrainingStep.compile(storage, update, { outputs: { loss } });
    const traces = await Promise.all(
      tensors.map(async (tensor): Promise<Trace> => {
        const zeros = (): Float64Array => new Float64Array(tensor.length);
        return {
          w: Float64Array.from(await storage.read(tensor)),
          first: zeros(),
          second: zeros(),
          travelled: zeros(),
        };
      }),
    );
    const uniform = uniformNumbers(11);
    for (let step = 1; step <= STEPS; step++) {
      const gradients = tensors.map(({ length }) => Float32Array.from({ length }, () => 0.3 * uniform() + 0.05));
      const rate = 0.02 / step ** 0.5;
      await training.run(
        Object.fromEntries(tensors.map(({ name }, index) => [`gradient of ${name}`, gradients[index]])),
        rate,
      );
      traces.forEach((trace, index) => {
        const isVector = tensors[index].shape.length === 1;
        PUBLISHED[kind](
          trace,
          Float64Array.from(gradients[index]),
          isVector ? rate / 2 : rate,
          isVector ? 0 : 0.02,
          step,
          !isVector,
        );
      });
    }
    assert.is(training.stepsDone, STEPS);
    for (const [index, tensor] of tensors.entries()) {
      const actual = await storage.read(tensor);
      const { w, travelled } = traces[index];
      w.forEach((expected, i) => {
        // A rounding of the weight at each step; and of each step about 64 roundings, norms of 9090 numbers included.
        const allowed = EPSILON * (STEPS * (Math.abs(expected) + travelled[i]) + 64 * travelled[i]);
        assert.ok(
          Math.abs(actual[i] - expected) <= allowed,
          `${tensor.name}[${i}]: ${actual[i]} is not ${expected} within ${allowed}`,
        );
        assert.ok(travelled[i] > 100 * allowed, `${tensor.name}[${i}] hardly moved`);
      });
    }
    training.destroy();
    storage.destroy();
  });

test('a learning rate that is no rate is refused', async () => {
  const storage = new DeviceStorage(await testDevice());
  const network = new Network();
  const loss = sum(network.vector('weights', 3, { kind: 'constant', value: 1 }));
  const update = trainingUpdate(network, loss, new Map(), KINDS.sgd);
  const training = await TrainingStep.compile(storage, update, { outputs: { loss } });
  for (const rate of [-1, NaN, Infinity])
    assert.match(await training.run({}, rate).then(() => '', String), /RangeError: a learning rate of/);
  training.destroy();
  storage.destroy();
});

test.run();
