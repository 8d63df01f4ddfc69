import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bitChecksum, integerImages, integerStream, integerWeights } from './integer-weights.ts';
import { measureLosses, projectedError, readResNetFixture } from './measures.ts';

const fixture = readResNetFixture('resnet50');

for (const architecture of ['resnet18', 'resnet50'] as const)
  test(`${architecture}: both languages draw the same weights and images`, () => {
    const { parameters, checksums, batch, size } = readResNetFixture(architecture);
    assert.is(bitChecksum(integerWeights(architecture, parameters).values()), checksums.parameters);
    assert.is(bitChecksum([integerImages(architecture, batch, size)]), checksums.images);
  });

test('a projected error estimates the relative L2 error', () => {
  const length = 20_000;
  const streams = Array.from({ length: 16 }, (_, j) => integerStream(2000 + j));
  const tensor = Float32Array.from({ length }, (_, i) => Math.sin(i));
  const noise = integerStream(1);
  const disturbed = tensor.map((value, i) => value + 0.01 * noise(i));
  const reference = {
    norm: Math.hypot(...tensor),
    projections: streams.map((vector) => tensor.reduce((sum, value, i) => sum + value * vector(i), 0)),
  };
  const expected = Math.hypot(...disturbed.map((value, i) => value - tensor[i])) / reference.norm;
  const ratio = projectedError(disturbed, reference, 2000) / expected;
  assert.ok(ratio > 0.6 && ratio < 1.5, `estimated ${ratio} times the true error`);
});

test('losses are compared with the median of the float32 runs beside them', () => {
  const losses = fixture.sgdLosses.map((loss, step) => (step === 3 ? loss * 1.001 : loss));
  const [row] = measureLosses(losses, 'SGD', fixture);
  assert.ok(Math.abs(row.ours - 0.001) < 1e-9);
  assert.is(row.pytorchFloat32, fixture.float32Errors.median['SGD losses']);
});

test.run();
