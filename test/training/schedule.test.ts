import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { learningRateAt, ramp, type Schedule } from '../../src/training/schedule.ts';

const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) <= 1e-12 * Math.abs(expected), `${actual}, expected ${expected}`);
const schedule = (decay: Schedule['decay'], more: Partial<Schedule> = {}): Schedule => ({
  learningRate: 0.1,
  warmupSteps: 0,
  decay,
  final: 0.001,
  ...more,
});

test("the paper's schedule: lr * 0.001^(epoch / epochs), epochs whole or not", () => {
  const [epochs, epoch] = [20, 7];
  for (let step = 0; step < epochs * epoch; step++) {
    near(learningRateAt(schedule('exponential'), step, epochs * epoch), 0.1 * 0.001 ** (step / epoch / epochs));
    near(
      learningRateAt(schedule('exponential', { stepsAtARate: epoch }), step, epochs * epoch),
      0.1 * 0.001 ** (Math.floor(step / epoch) / epochs),
    );
  }
});

test('the other decays at their beginning, middle and end', () => {
  const at = (decay: Schedule['decay'], final = 0.2): number[] =>
    [0, 50, 100].map((step) => learningRateAt(schedule(decay, { final }), step, 100) / 0.1);
  at('constant').forEach((share) => near(share, 1));
  at('cosine').forEach((share, i) => near(share, [1, 0.6, 0.2][i]));
  at('linear').forEach((share, i) => near(share, [1, 0.6, 0.2][i]));
});

test('the rate rises over the warm-up, and the decay spans what is left', () => {
  const warm = schedule('linear', { warmupSteps: 4, final: 0 });
  near(learningRateAt(warm, 0, 14), 0.1 / 5);
  near(learningRateAt(warm, 3, 14), (4 * 0.1) / 5);
  near(learningRateAt(warm, 4, 14), 0.1);
  near(learningRateAt(warm, 9, 14), 0.05);
  // With rates for five steps each, the steps count from the end of the warm-up.
  assert.equal(
    [4, 8, 9, 13].map((step) => learningRateAt({ ...warm, stepsAtARate: 5 }, step, 14)),
    [0.1, 0.1, 0.05, 0.05],
  );
});

test("a loss's weight rises from its start", () => {
  assert.equal(
    [0, 4, 5, 9].map((step) => ramp(step, 5, 0)),
    [0, 0, 1, 1],
  );
  assert.equal(
    [4, 5, 6, 7, 9, 20].map((step) => ramp(step, 5, 4)),
    [0, 0, 0.25, 0.5, 1, 1],
  );
});

test.run();
