import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import {
  describeInputConvention,
  IMAGENET_PIXELS,
  INPUT_CONVENTIONS,
  InputConventionError,
  parseInputConvention,
  pixelNormalization,
} from '../../src/nn/pixels.ts';

test('conventions as people write them', () => {
  const caffe = { order: 'BGR', white: 255, mean: [103.939, 116.779, 123.68], deviation: [1, 1, 1] };
  assert.equal(parseInputConvention('caffe'), caffe);
  assert.equal(parseInputConvention('BGR, 0..255, minus mean (103.939, 116.779, 123.68), std 1'), caffe);
  assert.equal(parseInputConvention('channels bgr, range 0-255, mean=[103.939,116.779,123.68], std=[1,1,1]'), caffe);
  assert.equal(parseInputConvention('rgb 0 to 1, mean: .5, std: .5'), {
    order: 'RGB',
    white: 1,
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
  });
  assert.equal(
    parseInputConvention('RGB, 0..1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225'),
    INPUT_CONVENTIONS.imagenet,
  );
});

test('what is not said is named', () => {
  const refused = (text: string, message: RegExp): void => {
    assert.throws(
      () => parseInputConvention(text),
      (error: Error) =>
        error instanceof InputConventionError && message.test(error.message) && error.message.includes('caffe'),
    );
  };
  refused('torchvision', /neither RGB nor BGR/);
  refused('RGB or BGR, 0..1, mean 0, std 1', /both RGB and BGR/);
  refused('RGB, mean 0, std 1', /names no range/);
  refused('RGB, 0..255, std 1', /names no mean/);
  refused('RGB, 0..255, mean 0', /names no standard deviation/);
  refused('RGB, 0..255, mean 1 2, std 1', /2 numbers for the mean/);
  refused('RGB, 0..255, mean 1, std 0', /not above zero/);
  refused('__proto__', /neither RGB nor BGR/);
});

test('every convention in one line and back, without loss', () => {
  const color = (minimum: number) =>
    fc.tuple(
      ...([0, 1, 2].map(() => fc.double({ min: minimum, max: 300, noNaN: true })) as [
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
        fc.Arbitrary<number>,
      ]),
    );
  fc.assert(
    fc.property(
      fc.constantFrom('RGB' as const, 'BGR' as const),
      fc.constantFrom(1 as const, 255 as const),
      color(-10),
      color(1e-9),
      (order, white, mean, deviation) => {
        // -0 is written as 0.
        const convention = { order, white, mean: mean.map((value) => value + 0) as typeof mean, deviation };
        assert.equal(parseInputConvention(describeInputConvention(convention)), convention);
      },
    ),
  );
});

test('a pixel comes out the same, whatever the units and the order', () => {
  assert.equal(pixelNormalization(INPUT_CONVENTIONS.imagenet), IMAGENET_PIXELS);
  const { mean, deviation } = pixelNormalization(INPUT_CONVENTIONS.caffe);
  const red = 200;
  assert.ok(Math.abs((red / 255 - mean[0]) / deviation[0] - (red - 123.68)) < 1e-10);
  assert.ok(Math.abs((red / 255 - mean[2]) / deviation[2] - (red - 103.939)) < 1e-10);
});

test.run();
