// 50 steps of the optimizers that PyTorch has, against PyTorch's in float64 (optimizers.py).
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import { EPSILON } from '../../kernels/kernel.ts';
import { multiply } from '../../src/autodiff/ops/pointwise.ts';
import { sum } from '../../src/autodiff/ops/reduce.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input } from '../../src/autodiff/tensor.ts';
import { Network } from '../../src/nn/layers.ts';
import { optimizerSettings, type OptimizerKind } from '../../src/nn/optimizers/index.ts';
import { TrainingStep } from '../../src/nn/training-step.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { testDevice } from '../support/device.ts';
import { assertWithin } from '../support/kernel-test.ts';

interface Fixture {
  readonly weightDecay: number;
  readonly rates: readonly number[];
  readonly parameters: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  /** The parameters after the last step, by the name of the optimizer. */
  readonly cases: Readonly<Record<OptimizerKind, readonly number[]>>;
}

const { weightDecay, rates, parameters, gradients, cases } = JSON.parse(
  readFileSync(new URL('./optimizers.json', import.meta.url), 'utf8'),
) as Fixture;

for (const [kind, expected] of Object.entries(cases))
  test(`${kind}: 50 steps give PyTorch's parameters`, async () => {
    const storage = new DeviceStorage(await testDevice());
    const network = new Network();
    const w = network.vector('w', parameters.length, { kind: 'constant', value: 0 });
    storage.write(w, Float32Array.from(parameters));
    // The gradient of sum(w * g) by w is g.
    const loss = sum(multiply(w, input('gradient', w.shape)));
    const update = trainingUpdate(network, loss, new Map(), optimizerSettings(kind as OptimizerKind, weightDecay));
    const training = await TrainingStep.compile(storage, update, { outputs: { loss } });
    for (const [step, rate] of rates.entries())
      await training.run({ gradient: Float32Array.from(gradients[step]) }, rate);
    // A step is at most ten learning rates long, and has about 64 roundings; so has the weight one at each step.
    const travelled = rates.reduce((length, rate) => length + 10 * rate, 0);
    const errors = expected.map((value) => EPSILON * (rates.length * Math.abs(value) + 64 * travelled));
    assertWithin(kind, await storage.read(w), Float64Array.from(expected), errors);
    training.destroy();
    storage.destroy();
  });

test.run();
