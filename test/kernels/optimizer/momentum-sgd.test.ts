import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { momentumSgd, type MomentumSgdProblem } from '../../../kernels/optimizer/momentum-sgd.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('momentum_sgd: two steps by hand, exact in float32', async () => {
  const device = await testDevice();
  const fill = (value: number) => new Float64Array(64).fill(value);
  for (const [nesterov, positions] of [
    [false, [3, 1.625]],
    [true, [2.5, 1.03125]],
  ] as const) {
    const problem: MomentumSgdProblem = { count: 64, groups: 1, nesterov };
    for (const call of momentumSgd.calls(problem, device.traits)) {
      let parameters: ArrayLike<number> = fill(4);
      let velocity: ArrayLike<number> = fill(0);
      for (const position of positions) {
        // The gradient is 1 and the decay 0.25: g = 2 at first. Learning rate 0.5, momentum 0.5.
        ({ parameters, velocity } = await runKernel(device, call, {
          parameters,
          velocity,
          gradients: fill(1),
          group: Float64Array.of(0),
          groupSettings: Float64Array.of(1, 0.25, 1, 0),
          hyper: Float64Array.of(0.5, 0.5),
          gate: Float64Array.of(0, 0),
        }));
        assert.is(parameters[63], position, `${call.variant}, nesterov ${nesterov}`);
      }
    }
  }
});

test.run();
