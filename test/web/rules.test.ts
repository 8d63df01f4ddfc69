// Rules of the page that need no browser.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sketchSquare } from '../../src/data/sketch-framing.ts';
import { stretchToSquare, type DecodedPicture } from '../../src/data/resample.ts';
import { ownDataset, whyUseless } from '../../web/src/own-training.ts';
import { parseStroke, touches, visibleBounds } from '../../web/src/strokes.ts';

test('the bounds of strokes are those of what can be seen', () => {
  const at = (...places: [number, number][]): { x: number; y: number }[] => places.map(([x, y]) => ({ x, y }));
  const bounds = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });
  assert.equal(visibleBounds([at([0.2, 0.3], [0.5, 0.4])]), bounds(0.2, 0.3, 0.5, 0.4));
  assert.equal(visibleBounds([at([0.5, 0.5])]), bounds(0.5, 0.5, 0.5, 0.5));
  // A line that leaves at the right edge, halfway down to its end.
  assert.equal(visibleBounds([at([0.5, 0.5], [1.5, 0.75])]), bounds(0.5, 0.5, 1, 0.625));
  // Both ends off: one line crosses the pad, the others do not.
  assert.equal(visibleBounds([at([-0.5, 0.5], [1.5, 0.5])]), bounds(0, 0.5, 1, 0.5));
  assert.is(visibleBounds([at([-0.5, 0.4], [0.4, -0.9]), at([1.2, 0.2], [1.2, 0.8]), at([3, 3])]), undefined);
  assert.is(visibleBounds([]), undefined);
  // As long as a hand draws in hours.
  const long = Array.from({ length: 300_000 }, (_, index) => ({ x: 0.25 + (index % 3) / 4, y: 0.5 }));
  assert.equal(visibleBounds([long]), bounds(0.25, 0.5, 0.75, 0.5));
});

test('an eraser touches a stroke that its way crosses or comes near', () => {
  const stroke = parseStroke('20,20 60,20 60,60');
  assert.equal(stroke, [
    { x: 0.2, y: 0.2 },
    { x: 0.6, y: 0.2 },
    { x: 0.6, y: 0.6 },
  ]);
  const near = (x: number, y: number, toX = x, toY = y): boolean => touches(stroke, { x, y }, { x: toX, y: toY }, 0.03);
  assert.ok(near(0.4, 0.229));
  assert.not.ok(near(0.4, 0.231));
  // Around the ends the distance is that of a circle.
  assert.ok(near(0.18, 0.18));
  assert.not.ok(near(0.175, 0.175));
  // A fast pointer is seen on both sides only.
  assert.ok(near(0.5, 0.1, 0.5, 0.5));
  assert.not.ok(near(0.1, 0.5, 0.5, 0.5));
  // Parallel, in line, and a stroke of one point.
  assert.not.ok(near(0.3, 0.15, 0.5, 0.15));
  assert.not.ok(near(0.05, 0.2, 0.15, 0.2));
  assert.ok(touches([{ x: 0.5, y: 0.5 }], { x: 0.4, y: 0.51 }, { x: 0.6, y: 0.51 }, 0.03));
  assert.not.ok(touches([], { x: 0, y: 0 }, { x: 1, y: 1 }, 0.03));
});

test('sketches of a training are laid out as the model that it starts from wants them, and photos are not', async () => {
  const data = new Uint8Array(3 * 40 * 30).fill(255);
  for (let at = 3 * (40 * 4 + 3); at < 3 * (40 * 4 + 12); at++) data[at] = 0;
  const picture: DecodedPicture = { width: 40, height: 30, data };
  const classes = ['a', 'b'].map((name) => ({ name, sketches: [picture], photos: [picture] }));
  const whole = stretchToSquare(picture, 8);
  const fitted = sketchSquare(picture, 8, 'fitted');
  assert.is.not(Buffer.compare(fitted, whole), 0);
  for (const sketches of ['fitted', 'whole', undefined] as const) {
    const {
      dataset: { train, images },
    } = await ownDataset(classes, { imageSize: 8, sketches }, () => undefined);
    assert.is(train.length, 4);
    for (const sample of train)
      assert.equal(await images.read(sample, 8), sample.domain === 'sketch' && sketches === 'fitted' ? fitted : whole);
  }
});

test('a model that did not learn, or diverged, is told apart from one that did', () => {
  const file = (step: number, ...values: number[]): Parameters<typeof whyUseless>[0] => ({
    step,
    state: new Map([['layer.weight', { shape: [values.length], values: Float32Array.of(...values) }]]),
  });
  assert.match(whyUseless(file(0, 1), []) ?? '', 'no step was done');
  for (const value of [NaN, Infinity])
    assert.match(whyUseless(file(4, 1, value), [3, 2, 2, 1]) ?? '', 'layer.weight is not finite');
  assert.match(whyUseless(file(6, 1), [2, 2, 2, 9, 9, 9]) ?? '', 'the loss grew from 2.000 to 9.000');
  assert.match(whyUseless(file(6, 1), [2, 2, 2, 9, NaN, 9]) ?? '', 'it diverged');
  // It diverges at once, and comes halfway back.
  assert.match(whyUseless(file(6, 1), [2, 1e12, 1e12, 1e11, 1e11, 1e11]) ?? '', 'it diverged');
  assert.is(whyUseless(file(6, 1), [2, 2, 2, 3, 3, 3]), undefined);
  assert.is(whyUseless(file(6, 1), [3, 3, 3, 1, 1, 1]), undefined);
  assert.is(whyUseless(file(1, 1), [3]), undefined);
});

test.run();
