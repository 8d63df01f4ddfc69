import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { input, type GraphNode, type ParameterStore } from '../../src/autodiff/tensor.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { KERNEL_MODULES } from '../../kernels/index.ts';
import { EPSILON, type Values } from '../../kernels/kernel.ts';
import { add, multiply } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { Network } from '../../src/nn/layers.ts';
import {
  OPTIMIZER_KINDS,
  optimizerSettings,
  sgdSettings,
  type OptimizerSettings,
} from '../../src/nn/optimizers/index.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { TrainingStep } from '../../src/nn/training-step.ts';
import { trainingUpdate, type TrainingUpdate } from '../../src/nn/training-update.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';
import { smallTraining, type SmallTraining } from '../support/small-network.ts';

const UPDATES = KERNEL_MODULES.filter(({ family, module }) => family === 'optimizer' && module !== 'loss-scale')
  .flatMap(({ kernels }) => kernels)
  .map(({ name }) => name);

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
  const settings = optimizerSettings(kind, 1e-2);
  test(`${kind}: what does not learn keeps its bits and those of its moments, without a gradient; the rest gets those of a step in which all learn`, async () => {
    const device = await testDevice();
    const all = await smallTraining(device, 1, settings);
    const expected = await afterStep(all);
    const kernels = (training: SmallTraining, ...names: readonly string[]): number =>
      training.program.plan.calls.filter(({ kernel }) => names.includes(kernel.name)).length;
    assert.is(kernels(all, ...UPDATES), 1);

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
      assert.is(kernels(some, ...UPDATES), passes);
      some.program.destroy();
      some.storage.destroy();
    }
    all.program.destroy();
    all.storage.destroy();
  });
}

test('an optimizer under which nothing learns is refused', async () => {
  const device = await testDevice();
  const message = await smallTraining(device, 1, keeping('', sgdSettings(1e-2))).then(() => '', String);
  assert.match(message, /RangeError: no parameter learns/);
});

/** A tensor in float64, with the state of its optimizer. */
interface Trace {
  readonly w: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** Sum of the lengths of an element's steps. */
  readonly travelled: Float64Array;
}

type Published = (trace: Trace, g: Float64Array, rate: number, decay: number, step: number, adapted: boolean) => void;
const norm = (values: Float64Array): number => Math.sqrt(values.reduce((total, value) => total + value * value, 0));

/** The papers' algorithms, as they print them; of the other optimizers the kernel's float64 reference is the algorithm. */
const PUBLISHED: Readonly<Record<string, Published>> = {
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

/** One step of all parameters and of the optimizer's state, in float64, by the reference of its kernel. */
function referenceStep({ updates, feeds }: TrainingUpdate, parameters: Float64Array) {
  const node = updates.find(({ op }) => UPDATES.includes(op.name)) as GraphNode;
  const [{ kernel, problem, operands }] = node.op.lower(node, new Map());
  const call = kernel.calls(problem as never, { kind: 'cpu' } as AdapterTraits)[0];
  const constants = Object.entries(operands).flatMap(([name, { origin }]) =>
    origin.kind === 'constant' ? [[name, Float64Array.from(origin.values as Float32Array)]] : [],
  );
  let state: Values = Object.fromEntries(
    Object.entries(call.operands).flatMap(([name, { role, length }]) =>
      role === 'inout' ? [[name, name === 'parameters' ? parameters : new Float64Array(length)]] : [],
    ),
  );
  return (gradients: Float64Array, rate: number, step: number): Float64Array => {
    const { optimizer } = feeds(rate, step);
    const inputs = {
      ...Object.fromEntries(constants),
      ...state,
      gradients,
      hyper: Float64Array.from(optimizer as Float32Array),
      gate: Float64Array.of(0, 0),
    };
    const found = kernel.reference(problem as never, inputs);
    state = Object.fromEntries(Object.entries(found).map(([name, { value }]) => [name, value]));
    return state.parameters;
  };
}

for (const kind of OPTIMIZER_KINDS)
  test(`${kind}: 50 steps follow the algorithm in float64, with a learning rate of its own in each`, async () => {
    const STEPS = 50;
    const device = await testDevice();
    const storage = new DeviceStorage(device);
    const network = new Network();
    // Several segments, one that is not full, and a vector, which LAMB and LARS do not adapt.
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

    const { flat, entries } = network.parameters;
    const offsets = tensors.map(({ name }) => entries.get(name)?.offset as number);
    let arena: Float64Array = Float64Array.from(await storage.read(flat));
    const reference = referenceStep(update, arena);
    const parts = (values: Float64Array): Float64Array[] =>
      tensors.map(({ length }, index) => values.slice(offsets[index], offsets[index] + length));
    const traces = parts(arena).map((w): Trace => {
      const zeros = (): Float64Array => new Float64Array(w.length);
      return { w, first: zeros(), second: zeros(), travelled: zeros() };
    });
    const uniform = uniformNumbers(11);
    for (let step = 1; step <= STEPS; step++) {
      const gradients = tensors.map(({ length }) => Float32Array.from({ length }, () => 0.3 * uniform() + 0.05));
      const rate = 0.02 / step ** 0.5;
      await training.run(
        Object.fromEntries(tensors.map(({ name }, index) => [`gradient of ${name}`, gradients[index]])),
        rate,
      );
      const published = PUBLISHED[kind];
      if (published === undefined) {
        const all = new Float64Array(arena.length);
        gradients.forEach((values, index) => all.set(values, offsets[index]));
        arena = reference(all, rate, step);
        for (const [index, w] of parts(arena).entries()) {
          traces[index].travelled.forEach((_, i, travelled) => (travelled[i] += Math.abs(w[i] - traces[index].w[i])));
          traces[index].w.set(w);
        }
        continue;
      }
      traces.forEach((trace, index) => {
        const isVector = tensors[index].shape.length === 1;
        const [ownRate, decay] = isVector ? [rate / 2, 0] : [rate, 0.02];
        published(trace, Float64Array.from(gradients[index]), ownRate, decay, step, !isVector);
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
  const update = trainingUpdate(network, loss, new Map(), sgdSettings(1e-2));
  const training = await TrainingStep.compile(storage, update, { outputs: { loss } });
  for (const rate of [-1, NaN, Infinity])
    assert.match(await training.run({}, rate).then(() => '', String), /RangeError: a learning rate of/);
  training.destroy();
  storage.destroy();
});

test.run();
