import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  augmentationTransforms,
  DEFAULT_AUGMENTATION,
  identityTransforms,
  TRANSFORM_FLOATS,
  type Augmentation,
  type Rgb,
} from '../../src/data/augmentation.ts';

const rows = (transforms: Float32Array) =>
  Array.from({ length: transforms.length / TRANSFORM_FLOATS }, (_, index) => [
    ...transforms.subarray(index * TRANSFORM_FLOATS, (index + 1) * TRANSFORM_FLOATS),
  ]);
const close = (actual: number, expected: number, tolerance = 1e-4) =>
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual} is not ${expected}`);

/** One part alone, on every image. */
const only = (change: Partial<Augmentation>): Augmentation => ({
  probability: 1,
  partProbability: 1,
  scale: [1, 1],
  degrees: 0,
  shift: 0,
  photoFill: [255, 255, 255],
  ...change,
});
const draw = (
  augmentation: Augmentation,
  count: number,
  { sourceSize = 64, outputSize = 64, step = 0, seed = 3, domain = 0 } = {},
) =>
  rows(
    augmentationTransforms(new Uint32Array(count).fill(domain), { seed, step, sourceSize, outputSize, augmentation }),
  );
/** Parts come with their probability; these look at the images that a part has changed. */
const N = 4000;

test('between equal sizes the identity changes nothing', () => {
  assert.equal(
    rows(identityTransforms(2, { sourceSize: 64, outputSize: 64 })),
    new Array(2).fill([1, 0, 0, 0, 1, 0, 255, 255, 255, 0, 0, 0]),
  );
});

test('between unequal sizes the identity maps edges to edges', () => {
  for (const [sourceSize, outputSize] of [
    [96, 64],
    [64, 224],
  ]) {
    const [[a, b, c, d, e, f]] = rows(identityTransforms(1, { sourceSize, outputSize }));
    // The outer edges have the indices -1/2 and n - 1/2.
    close(a * -0.5 + c, -0.5);
    close(a * (outputSize - 0.5) + c, sourceSize - 0.5);
    assert.equal([a, b, c], [e, d, f]);
  }
});

test('the flip mirrors half of the images about the middle', () => {
  const flipped = draw(only({ partProbability: 0.5 }), N).filter(([a]) => a < 0);
  assert.ok(Math.abs(flipped.length - N / 2) < 5 * Math.sqrt(N / 4));
  for (const row of flipped) assert.equal(row.slice(0, 6), [-1, 0, 63, 0, 1, 0]);
});

test('scales are drawn for each axis in their range and keep the center', () => {
  const drawn = draw(only({ scale: [0.7, 1.3] }), N).map(([a, , c, , e, f]) => {
    close(a * 31.5 + c, 31.5);
    close(e * 31.5 + f, 31.5);
    return [Math.abs(1 / a), 1 / e];
  });
  for (const axis of [0, 1]) {
    const values = drawn.map((scales) => scales[axis]);
    assert.ok(Math.min(...values) > 0.6999 && Math.min(...values) < 0.705);
    assert.ok(Math.max(...values) < 1.3001 && Math.max(...values) > 1.295);
    close(values.reduce((sum, value) => sum + value, 0) / N, 1, 5 * (0.6 / Math.sqrt(12 * N)));
  }
  assert.ok(
    drawn.some(([x, y]) => Math.abs(x - y) > 0.3),
    'the axes are scaled apart',
  );
});

test('rotation is about the center, within its range', () => {
  const angles = draw(only({ degrees: 30 }), N).map(([a, b, c, d, e, f]) => {
    close(a * 31.5 + b * 31.5 + c, 31.5);
    close(d * 31.5 + e * 31.5 + f, 31.5);
    close(a * a + b * b, 1);
    close(Math.abs(a * e - b * d), 1);
    return (Math.atan2(-d, e) * 180) / Math.PI;
  });
  assert.ok(Math.max(...angles) <= 30.001 && Math.max(...angles) > 29.8);
  assert.ok(Math.min(...angles) >= -30.001 && Math.min(...angles) < -29.8);
});

test('the shift is 10 pixels in 224 and keeps its share at other sizes', () => {
  for (const [sourceSize, outputSize] of [
    [224, 224],
    [64, 64],
    [96, 64],
  ]) {
    const limit = (10 / 224) * sourceSize;
    const middle = (sourceSize - 1) / 2;
    const moved = draw(only({ shift: 10 / 224 }), N, { sourceSize, outputSize }).map(
      ([a, , c]) => a * ((outputSize - 1) / 2) + c - middle,
    );
    assert.ok(Math.max(...moved) <= limit + 1e-3 && Math.max(...moved) > 0.99 * limit);
    assert.ok(Math.min(...moved) >= -limit - 1e-3 && Math.min(...moved) < -0.99 * limit);
  }
});

test('an image is flipped, scaled, rotated and shifted in this order', () => {
  const augmentation = only({ scale: [0.7, 1.3], degrees: 30, shift: 0.1 });
  for (const [a, b, c, d, e, f] of draw(augmentation, 50)) {
    // Undo the map: the linear part of source to output must be rotation * scale * flip.
    const determinant = a * e - b * d;
    const forward = [
      [e / determinant, -b / determinant],
      [-d / determinant, a / determinant],
    ];
    const scaleX = Math.hypot(forward[0][0], forward[1][0]);
    const scaleY = Math.hypot(forward[0][1], forward[1][1]);
    assert.ok(scaleX > 0.6999 && scaleX < 1.3001 && scaleY > 0.6999 && scaleY < 1.3001);
    // Its columns stay at right angles. Had the scale come after the rotation, its rows would.
    close(forward[0][0] * forward[0][1] + forward[1][0] * forward[1][1], 0);
    assert.ok(Number.isFinite(c) && Number.isFinite(f));
  }
});

test('by default 30 % of the images, and a sixteenth of the rest, are left as they are', () => {
  const unchanged = draw(DEFAULT_AUGMENTATION, N).filter((row) => row.slice(0, 6).join() === '1,0,0,0,1,0').length;
  const expected = 0.3 + 0.7 / 16;
  assert.ok(Math.abs(unchanged / N - expected) < 5 * Math.sqrt((expected * (1 - expected)) / N), `${unchanged / N}`);
});

test('sketches are filled with white, photos as asked', () => {
  const photoFill: Rgb = [10, 20, 30];
  const domains = Uint32Array.of(0, 1);
  const [sketch, photo] = rows(
    augmentationTransforms(domains, {
      seed: 1,
      step: 1,
      sourceSize: 8,
      outputSize: 8,
      augmentation: { ...DEFAULT_AUGMENTATION, photoFill },
    }),
  );
  assert.equal(sketch.slice(6), [255, 255, 255, 0, 0, 0]);
  assert.equal(photo.slice(6), [10, 20, 30, 0, 0, 0]);
});

test('a transform depends on seed, step and position, not on the batch around it', () => {
  const long = draw(DEFAULT_AUGMENTATION, 64, { step: 9 });
  assert.equal(draw(DEFAULT_AUGMENTATION, 8, { step: 9 }), long.slice(0, 8));
  assert.not.equal(draw(DEFAULT_AUGMENTATION, 64, { step: 10 }), long);
  assert.not.equal(draw(DEFAULT_AUGMENTATION, 64, { step: 9, seed: 4 }), long);
  // About 39 of 64 are changed by more than a flip.
  assert.ok(new Set(long.map(String)).size > 25);
});

test.run();
