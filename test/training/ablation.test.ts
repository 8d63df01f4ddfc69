import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ABLATION, ablatedTraining, meanAndDeviation, summarise } from '../../src/training/ablation.ts';
import { PAPER_RECIPE } from '../../src/training/recipe.ts';

test('each step differs from the whole method in its seed and in the weights of the losses that it lacks', () => {
  const training = {
    ...PAPER_RECIPE,
    steps: 10,
    losses: { ...PAPER_RECIPE.losses, quadruplet: 2, classification: 3, preservation: 5 },
  };
  const weights = ABLATION.map((step) => {
    const { seed, losses, ...rest } = ablatedTraining(training, step, 7);
    const { losses: before } = training;
    assert.equal({ ...rest, seed: training.seed, losses: before }, training);
    assert.is(seed, 7);
    assert.equal({ ...losses, quadruplet: 2, classification: 3, preservation: 5 }, before);
    return [losses.classification, losses.quadruplet, losses.preservation];
  });
  assert.equal(weights, [
    [0, 0, 0],
    [0, 0, 0],
    [3, 0, 0],
    [3, 2, 0],
    [3, 2, 5],
  ]);
});

test('mean and sample standard deviation over seeds', () => {
  assert.equal(meanAndDeviation([1, 2, 3, 6]), { mean: 3, deviation: Math.sqrt((4 + 1 + 0 + 9) / 3) });
  assert.ok(Number.isNaN(meanAndDeviation([4]).deviation));
  const results = [
    { step: '+ quadruplet', seed: 2, metrics: { 'mAP@all': 0.5 } },
    { step: 'classification', seed: 1, metrics: { 'mAP@all': 0.25 } },
    { step: '+ quadruplet', seed: 1, metrics: { 'mAP@all': 0.25 } },
  ] as const;
  assert.equal(
    summarise(results).map(({ step, seeds, metrics }) => [step, seeds, metrics['mAP@all'].mean]),
    [
      ['classification', [1], 0.25],
      ['+ quadruplet', [1, 2], 0.375],
    ],
  );
});

test.run();
