// Collapses planted in embeddings, seen through the loss's own statistics from the device.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { QUADRUPLET_STATISTICS, quadrupletLoss } from '../../kernels/loss/quadruplet-loss.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { RetrievalNetwork } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, readState } from '../../src/nn/state.ts';
import { parseModel, serializeModel } from '../../src/models/model-file.ts';
import { CollapseWatch, PATIENCE } from '../../src/training/collapse.ts';
import type { LogEntry } from '../../src/training/log.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';
import { shapesDataset, TINY_TRAINING } from '../support/shapes-dataset.ts';

const COUNT = 24;
const WIDTH = 16;
const CLASSES = 6;

/** Statistics of unit vectors: a class's direction, a domain's direction and noise, each with a weight. */
async function statistics({
  ofClass,
  ofDomain,
  common,
  noise,
}: Readonly<Record<'ofClass' | 'ofDomain' | 'common' | 'noise', number>>): Promise<Record<string, number>> {
  const uniform = uniformNumbers(5);
  const labels = Float64Array.from({ length: COUNT }, (_, i) => i % CLASSES);
  const domains = Float64Array.from({ length: COUNT }, (_, i) => Number(i >= COUNT / 2));
  const embeddings = new Float64Array(COUNT * WIDTH);
  labels.forEach((label, i) => {
    const vector = Array.from(
      { length: WIDTH },
      (_, k) =>
        ofClass * Number(k === label) + ofDomain * Number(k === CLASSES + domains[i]) + common + noise * uniform(),
    );
    const norm = Math.hypot(...vector);
    vector.forEach((value, k) => (embeddings[i * WIDTH + k] = Math.fround(value / norm)));
  });
  const device = await testDevice();
  const [call] = quadrupletLoss.calls({ count: COUNT, width: WIDTH }, device.traits);
  const actual = await runKernel(device, call, { embeddings, labels, domains });
  return Object.fromEntries(QUADRUPLET_STATISTICS.map((name, index) => [name, actual.statistics[index]]));
}

const planted = {
  healthy: { ofClass: 1, ofDomain: 0.3, common: 0, noise: 0.5 },
  point: { ofClass: 0, ofDomain: 0, common: 1, noise: 0.02 },
  domains: { ofClass: 0.1, ofDomain: 1, common: 0, noise: 0.1 },
  hinges: { ofClass: 1, ofDomain: 0, common: 0, noise: 0.01 },
};

for (const [name, weights] of Object.entries(planted)) {
  test(`embeddings that are planted as ${name}`, async () => {
    const values = await statistics(weights);
    const watch = new CollapseWatch();
    const warnings = Array.from({ length: 3 * PATIENCE }, (_, step) =>
      watch.see(values).map(({ collapse, message }) => ({ step, collapse, message })),
    ).flat();
    const expected = name === 'healthy' ? [] : [{ step: PATIENCE - 1, collapse: name }];
    assert.equal(
      warnings.map(({ step, collapse }) => ({ step, collapse })),
      expected,
      JSON.stringify(values),
    );
    for (const { message } of warnings) assert.match(message, /--/, 'says what to do');
  });
}

test('a collapse must last, and is told again only after it was over', async () => {
  const [bad, good] = [await statistics(planted.point), await statistics(planted.healthy)];
  const watch = new CollapseWatch();
  const run = (values: Record<string, number>, steps: number): number =>
    Array.from({ length: steps }, () => watch.see(values).length).reduce((a, b) => a + b, 0);
  assert.is(run(bad, PATIENCE - 1) + run(good, 1) + run(bad, PATIENCE - 1), 0);
  assert.is(run(bad, 1), 1);
  assert.is(run(good, PATIENCE - 1) + run(bad, PATIENCE), 0);
  assert.is(run(good, PATIENCE) + run(bad, PATIENCE), 1);
  assert.equal(watch.see({ classification: 1 }), []);
});

test('a training whose embeddings are one point from the start warns in its log, and one that leaves the loss out does not', async () => {
  const device = await testDevice();
  const storage = new DeviceStorage(device);
  const network = new RetrievalNetwork({ ...TINY_TRAINING.network, classes: 4, teacherClasses: 0 });
  await initializeNetwork(network, storage, 0);
  const state = await readState(network, storage);
  storage.destroy();
  state.get('embedding.weight')?.values.fill(0);
  const start = { file: await parseModel(await serializeModel({ state, about: {} }), 'point'), name: 'point' };
  const train = async (quadruplet: number): Promise<LogEntry[]> => {
    const log: LogEntry[] = [];
    const training = {
      ...TINY_TRAINING,
      steps: PATIENCE,
      losses: { ...TINY_TRAINING.losses, quadruplet },
      schedule: { ...TINY_TRAINING.schedule, learningRate: 1e-9 },
    };
    const { model } = await trainRetrieval({
      device,
      dataset: shapesDataset(),
      training,
      start,
      onLog: (entry) => log.push(entry),
    });
    model.storage.destroy();
    return log.filter(({ event }) => event === 'warning');
  };
  const [warning, ...more] = await train(1);
  assert.equal(more, []);
  assert.ok(warning.event === 'warning' && warning.collapse === 'point' && warning.step === PATIENCE - 1);
  assert.equal(await train(0), []);
});

test.run();
