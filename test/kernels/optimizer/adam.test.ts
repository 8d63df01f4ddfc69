import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Values } from '../../../kernels/kernel.ts';
import { adam, adamHyper, type AdamProblem } from '../../../kernels/optimizer/adam.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin, uniformNumbers } from '../../support/kernel-test.ts';

const problem: AdamProblem = { count: 128, groups: 2, decoupled: false };
const sample = (): Values => adam.sampleInputs?.(problem, uniformNumbers(5)) ?? {};

test('adam: the first step moves by the learning rate against the sign of the gradient, and not at all where it is 0', async () => {
  const device = await testDevice();
  const zeros = new Float64Array(problem.count);
  const inputs: Values = {
    ...sample(),
    gradients: zeros.map((_, i) => [0, 1, -3, 1e-3][i % 4]),
    firstMoment: zeros,
    secondMoment: zeros,
    groupSettings: Float64Array.of(1, 0, 1, 0, 0.5, 0, 1, 0),
    hyper: adamHyper({ learningRate: 0.25, beta1: 0.9, beta2: 0.999, epsilon: 1e-12 }, 1),
  };
  const expected = inputs.parameters.map((p, i) => p - [0, 1, -1, 1][i % 4] * (i < 64 ? 0.25 : 0.125));
  for (const call of adam.calls(problem, device.traits)) {
    const { parameters } = await runKernel(device, call, inputs);
    assertWithin(
      call.variant,
      parameters,
      expected,
      expected.map(() => 1e-6),
    );
  }
});

test('adam: ten steps of the reference agree with the published form of the update', () => {
  for (const decoupled of [false, true]) {
    const arena = { count: 64, groups: 1, decoupled };
    let p = 1;
    let m = 0;
    let v = 0;
    let state: Values = {
      parameters: new Float64Array(64).fill(1),
      firstMoment: new Float64Array(64),
      secondMoment: new Float64Array(64),
    };
    for (let t = 1; t <= 10; t++) {
      const { parameters, firstMoment, secondMoment } = adam.reference(arena, {
        ...state,
        gradients: state.parameters,
        group: Float64Array.of(0),
        groupSettings: Float64Array.of(1, 0.1, 1, 0),
        hyper: adamHyper({ learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8 }, t),
        gate: Float64Array.of(0, 0),
      });
      state = { parameters: parameters.value, firstMoment: firstMoment.value, secondMoment: secondMoment.value };
      const g = decoupled ? p : p + 0.1 * p;
      if (decoupled) p *= 1 - 0.01 * 0.1;
      m = 0.9 * m + 0.1 * g;
      v = 0.99 * v + 0.01 * g * g;
      // The paper's form with corrected moments, not the rearranged one of the kernel.
      p -= (0.01 * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.99 ** t)) + 1e-8);
    }
    assert.ok(Math.abs(state.parameters[0] - p) < 1e-12, `decoupled ${decoupled}: ${state.parameters[0]} against ${p}`);
  }
});

test('adam: an arena that is not padded is refused', async () => {
  const { traits } = await testDevice();
  assert.throws(() => adam.calls({ ...problem, count: 100 }, traits), /pad it to a multiple of 64/);
});

test.run();
