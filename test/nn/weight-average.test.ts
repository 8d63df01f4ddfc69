import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Network } from '../../src/nn/layers.ts';
import { adamSettings } from '../../src/nn/optimizers/index.ts';
import { averageDecay } from '../../src/nn/weight-average.ts';
import { testDevice } from '../support/device.ts';
import { smallTraining, type SmallTraining } from '../support/small-network.ts';

const read = async ({ storage }: SmallTraining, { parameters, statistics }: Network): Promise<Float32Array> =>
  Float32Array.of(...(await storage.read(parameters.flat)), ...(await storage.read(statistics.flat)));

test('the decay rises with the steps to what was asked for', () => {
  assert.is(averageDecay(0.999, 1), 2 / 11);
  assert.is(averageDecay(0.999, 90), 91 / 100);
  assert.is(averageDecay(0.999, 8989), 8990 / 8999);
  assert.is(averageDecay(0.999, 8990), 0.999);
  assert.is(averageDecay(0.999, 1e9), 0.999);
  assert.is(averageDecay(1, 1e9), (1 + 1e9) / (10 + 1e9));
});

test('parameters and statistics are averaged after each step, and a step that is not finite changes no average', async () => {
  const training = await smallTraining(await testDevice(), 1, adamSettings(1e-2), { averageDecay: 0.25 });
  const average = training.average as Network;
  let before = await read(training, average);
  assert.equal(before, await read(training, training.network), 'it begins with the weights');
  for (let step = 1; step <= 5; step++) {
    const { images, ...others } = training.feeds(step);
    const broken = step === 3;
    await training.program.run({
      ...others,
      images: broken ? images.map((value, i) => (i === 7 ? NaN : value)) : images,
    });
    const [values, after] = [await read(training, training.network), await read(training, average)];
    const share = Math.fround(1 - averageDecay(0.25, step));
    after.forEach((found, i) => {
      const expected = broken ? before[i] : before[i] + share * (values[i] - before[i]);
      const error = broken ? 0 : 2 ** -24 * (2.001 * Math.abs(share * (values[i] - before[i])) + Math.abs(expected));
      assert.ok(Math.abs(found - expected) <= error, `step ${step}, element ${i}: ${found}, expected ${expected}`);
    });
    assert.ok(broken || after.some((found, i) => found !== before[i]));
    before = after;
  }
  training.program.destroy();
  training.storage.destroy();
});

test.run();
