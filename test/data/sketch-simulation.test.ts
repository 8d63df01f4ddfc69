import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { drawByHand, DRAWING_HAND, PICTURE_HAND, simplified, type Hand } from '../../src/data/sketch-simulation.ts';
import { fitStrokes, strokeBounds } from '../../src/data/strokes.ts';
import { RandomStream, STREAM } from '../../src/random/philox.ts';

const stream = (place: number): RandomStream => new RandomStream(3, STREAM.simulation, [0, place]);
/** A hand that does nothing but draw with one pen. */
const STILL: Hand = {
  pen: [0.05, 0.05],
  simplification: [0, 0],
  tremble: [0, 0],
  misplacement: [0, 0],
  shortest: [0, 0],
  omission: 0,
  overshoot: { probability: 0, length: 0 },
  aspect: 0,
  slant: 0,
  rotation: 0,
  small: { probability: 0, least: 1 },
};

const circle = Array.from(
  { length: 2 * 41 },
  (_, index) => 50 + 30 * (index % 2 === 0 ? Math.cos : Math.sin)((Math.floor(index / 2) * Math.PI) / 20),
);
const house = [circle, [0, 0, 100, 0, 100, 100, 0, 100, 0, 0], [20, 20, 24, 20]];

test('a hand that does nothing draws the fitted strokes', () => {
  const lines = [
    [0, 0, 100, 0],
    [0, 50, 40, 90],
  ];
  const { strokes, pen } = drawByHand(lines, STILL, stream(0));
  assert.is(pen, 0.05);
  const expected = fitStrokes(lines, 0.05);
  assert.is(strokes.length, expected.length);
  strokes.forEach((stroke, index) => {
    assert.is(stroke.length, expected[index].length);
    stroke.forEach((value, at) => assert.ok(Math.abs(value - expected[index][at]) < 1e-12));
  });
});

test('the same stream gives the same drawing, another one another', () => {
  for (const hand of [PICTURE_HAND, DRAWING_HAND]) {
    assert.equal(drawByHand(house, hand, stream(1)), drawByHand(house, hand, stream(1)));
    assert.not.equal(drawByHand(house, hand, stream(1)), drawByHand(house, hand, stream(2)));
  }
});

test('every drawing is within the square with its pen, and the longest stroke is in it', () => {
  for (let place = 0; place < 200; place++) {
    const { strokes, pen } = drawByHand(house, place % 2 === 0 ? PICTURE_HAND : DRAWING_HAND, stream(place));
    assert.ok(strokes.length >= 1);
    const { left, top, right, bottom } = strokeBounds(strokes);
    assert.ok(Math.min(left, top, 1 - right, 1 - bottom) >= (PICTURE_HAND.small.least * pen) / 2 - 1e-9, `${place}`);
    assert.ok(strokes.flat().every(Number.isFinite));
  }
});

test('short strokes and, now and then, others are left out', () => {
  const { strokes } = drawByHand(house, { ...STILL, shortest: [0.1, 0.1] }, stream(0));
  assert.is(strokes.length, 2, 'the shortest is shorter than a tenth');
  const left = Array.from(
    { length: 400 },
    (_, place) => drawByHand([circle, circle, circle], { ...STILL, omission: 0.25 }, stream(place)).strokes.length,
  );
  // Of 800 strokes that may be left out, 200 are: within five deviations of the binomial distribution.
  const omitted = left.reduce((sum, count) => sum + 3 - count, 0);
  assert.ok(Math.abs(omitted - 200) < 5 * Math.sqrt(800 * 0.25 * 0.75), `${omitted}`);
});

test('a hand strays no farther than its settings say', () => {
  const exact = fitStrokes([circle], 0.05);
  const tremble = 0.01;
  for (let place = 0; place < 50; place++) {
    const { strokes } = drawByHand([circle], { ...STILL, tremble: [tremble, tremble] }, stream(place));
    // The tremble shifts each coordinate by at most 0.01 of the drawing, fitting it again by as much once more; corners
    // are cut by less than 0.01.
    for (let at = 0; at < strokes[0].length; at += 2) {
      const distance = Math.abs(Math.hypot(strokes[0][at] - 0.5, strokes[0][at + 1] - 0.5) - (exact[0][0] - 0.5));
      assert.ok(distance < 2 * Math.SQRT2 * tremble + 0.01, `${distance}`);
    }
  }
});

test('a small drawing keeps its proportions and is anywhere on the paper', () => {
  const exact = fitStrokes(house, 0.05);
  const places = new Set<number>();
  for (let place = 0; place < 50; place++) {
    const { strokes } = drawByHand(house, { ...STILL, small: { probability: 1, least: 0.5 } }, stream(place));
    const { left, top, right, bottom } = strokeBounds(strokes);
    const full = strokeBounds(exact);
    const share = (right - left) / (full.right - full.left);
    assert.ok(share >= 0.5 && share <= 1, `${share}`);
    assert.ok(Math.abs((bottom - top) / (full.bottom - full.top) - share) < 1e-9);
    assert.ok(Math.min(left, top, 1 - right, 1 - bottom) >= 0);
    places.add(Math.floor(4 * left));
  }
  assert.ok(places.size > 1);
});

test('simplification keeps the ends and leaves no point farther than its tolerance', () => {
  const strokes = fc
    .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 60 })
    .map((values) => values.slice(0, values.length - (values.length % 2)));
  fc.assert(
    fc.property(strokes, fc.double({ min: 0.001, max: 0.3, noNaN: true }), (stroke, tolerance) => {
      const simple = simplified(stroke, tolerance);
      assert.equal(simple.slice(0, 2), stroke.slice(0, 2));
      assert.equal(simple.slice(-2), stroke.slice(-2));
      for (let at = 0; at < stroke.length; at += 2) {
        const distances = Array.from({ length: simple.length / 2 - 1 }, (_, line) =>
          toLine(stroke[at], stroke[at + 1], simple.slice(2 * line, 2 * line + 4)),
        );
        assert.ok(Math.min(...distances) <= tolerance + 1e-12);
      }
    }),
  );
});

function toLine(x: number, y: number, [x0, y0, x1, y1]: readonly number[]): number {
  const squared = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  const along = squared === 0 ? 0 : Math.min(1, Math.max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / squared));
  return Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
}

test.run();
