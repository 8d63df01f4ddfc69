/**
 * Sketches as people draw them, out of exact strokes: few lines, simplified, in a hand that trembles, overshoots,
 * leaves gaps and parts out, and does not keep the proportions. It makes sketches of pictures (edges.ts), and further
 * versions of people's drawings.
 */
import type { RandomStream } from '../random/philox.ts';
import { fitStrokes, type Stroke } from './strokes.ts';

/**
 * How far a hand may stray. Lengths are shares of the drawing's longer side; ranges are drawn from uniformly, once a
 * drawing.
 */
export interface Hand {
  /** Pen width, as a share of the image's side. */
  readonly pen: readonly [number, number];
  /** How far a simplified line may be from the exact one. */
  readonly simplification: readonly [number, number];
  /** Deviation of a line's slow tremble. */
  readonly tremble: readonly [number, number];
  /** Shift, in each axis, and share of scale and turn (radians) by which each stroke is off its place. */
  readonly misplacement: readonly [number, number];
  /** Strokes shorter than this are left out. */
  readonly shortest: readonly [number, number];
  /** Probability that another stroke is left out. */
  readonly omission: number;
  /** Probability that the end of a stroke is beyond or short of its place, and by how much at most. */
  readonly overshoot: { readonly probability: number; readonly length: number };
  /** The width over the height changes by e to the power of U(-this, this). */
  readonly aspect: number;
  /** Slant and rotation, at most, in radians. */
  readonly slant: number;
  readonly rotation: number;
  /**
   * Probability that the drawing is smaller than its paper, the smallest share of the side that it then fills, and
   * where it is by chance.
   */
  readonly small: { readonly probability: number; readonly least: number };
}

/** A person who draws what is seen in a picture. */
export const PICTURE_HAND: Hand = {
  // From a fine pen on a large sheet to a finger on a phone.
  pen: [0.008, 0.05],
  simplification: [0.004, 0.03],
  tremble: [0, 0.018],
  misplacement: [0, 0.03],
  shortest: [0.05, 0.3],
  omission: 0.12,
  overshoot: { probability: 0.3, length: 0.04 },
  aspect: 0.25,
  slant: 0.15,
  rotation: 0.15,
  small: { probability: 0.15, least: 0.6 },
};

/** Another drawing of what a person drew already: the strokes are a person's, so that less is changed. */
export const DRAWING_HAND: Hand = {
  // From a fine pen on a large sheet to a finger on a phone.
  pen: [0.008, 0.05],
  simplification: [0.001, 0.008],
  tremble: [0, 0.01],
  misplacement: [0, 0.02],
  shortest: [0, 0],
  omission: 0.04,
  overshoot: { probability: 0.15, length: 0.03 },
  aspect: 0.2,
  slant: 0.12,
  rotation: 0.12,
  small: { probability: 0.15, least: 0.6 },
};

/**
 * One drawing of some strokes by a hand.
 *
 * @param strokes in any units
 * @param random decides the drawing: the same stream gives the same one
 * @returns strokes in the unit square, and the pen's width as a share of its side
 */
export function drawByHand(
  strokes: readonly Stroke[],
  hand: Hand,
  random: RandomStream,
): { readonly strokes: number[][]; readonly pen: number } {
  const between = ([low, high]: readonly [number, number]): number => low + (high - low) * random.uniform();
  const around = (most: number): number => most * (2 * random.uniform() - 1);
  const pen = between(hand.pen);
  const [simplification, tremble, misplacement, shortest] = [
    between(hand.simplification),
    between(hand.tremble),
    between(hand.misplacement),
    between(hand.shortest),
  ];
  const shape = shapeOf(Math.exp(around(hand.aspect) / 2), around(hand.slant), around(hand.rotation));

  const exact = fitStrokes(strokes, 0);
  const drawn: number[][] = [];
  exact.forEach((stroke, index) => {
    // The longest one is always there: without it nothing may be left.
    const omitted = lengthOf(stroke) < shortest || random.uniform() < hand.omission;
    if (omitted && index > 0) return;
    let line = simplified(stroke, simplification);
    if (random.uniform() < hand.overshoot.probability) line = withEnd(line, around(hand.overshoot.length));
    line = placed(line, around(misplacement), around(misplacement), 1 + around(misplacement), around(misplacement));
    line = trembling(smooth(line), tremble, random);
    drawn.push(
      line.map((_, at) =>
        at % 2 === 0 ? shape.a * line[at] + shape.b * line[at + 1] : shape.c * line[at - 1] + shape.d * line[at],
      ),
    );
  });
  return { strokes: onPaper(fitStrokes(drawn, pen), hand.small, random), pen };
}

/** Now and then smaller than the square, and anywhere in it. */
function onPaper(strokes: number[][], { probability, least }: Hand['small'], random: RandomStream): number[][] {
  if (random.uniform() >= probability) return strokes;
  const share = least + (1 - least) * random.uniform();
  const [x, y] = [(1 - share) * random.uniform(), (1 - share) * random.uniform()];
  return strokes.map((stroke) => stroke.map((value, index) => share * value + (index % 2 === 0 ? x : y)));
}

/** A linear map: the width over the height changes by stretch squared, then the slant, then the rotation. */
function shapeOf(stretch: number, slant: number, angle: number): { a: number; b: number; c: number; d: number } {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [xx, xy, yy] = [stretch, slant, 1 / stretch];
  return { a: cos * xx, b: cos * xy - sin * yy, c: sin * xx, d: sin * xy + cos * yy };
}

function lengthOf(stroke: Stroke): number {
  let length = 0;
  for (let at = 2; at < stroke.length; at += 2)
    length += Math.hypot(stroke[at] - stroke[at - 2], stroke[at + 1] - stroke[at - 1]);
  return length;
}

/**
 * Douglas and Peucker's simplification (Cartographica 10, 1973): points within `tolerance` of the line between those
 * that stay are left out.
 */
export function simplified(stroke: Stroke, tolerance: number): number[] {
  const count = stroke.length / 2;
  if (count <= 2) return [...stroke];
  const stays = new Uint8Array(count);
  stays[0] = stays[count - 1] = 1;
  const open: [number, number][] = [[0, count - 1]];
  while (open.length > 0) {
    const [first, last] = open.pop() as [number, number];
    let [farthest, distance] = [-1, tolerance];
    for (let point = first + 1; point < last; point++) {
      const here = distanceToLine(stroke, point, first, last);
      if (here > distance) [farthest, distance] = [point, here];
    }
    if (farthest < 0) continue;
    stays[farthest] = 1;
    open.push([first, farthest], [farthest, last]);
  }
  return stroke.filter((_, at) => stays[at >> 1] === 1);
}

function distanceToLine(stroke: Stroke, point: number, first: number, last: number): number {
  const [x, y, x0, y0] = [stroke[2 * point], stroke[2 * point + 1], stroke[2 * first], stroke[2 * first + 1]];
  const [dx, dy] = [stroke[2 * last] - x0, stroke[2 * last + 1] - y0];
  const squared = dx * dx + dy * dy;
  const along = squared === 0 ? 0 : Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / squared));
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}

/** The last line longer by `length`, or shorter where that is negative. */
function withEnd(stroke: readonly number[], length: number): number[] {
  const end = stroke.length - 2;
  if (end < 2) return [...stroke];
  const [dx, dy] = [stroke[end] - stroke[end - 2], stroke[end + 1] - stroke[end - 1]];
  const whole = Math.hypot(dx, dy);
  const share = whole === 0 ? 0 : Math.max(-0.9, length / whole);
  return [...stroke.slice(0, end), stroke[end] + share * dx, stroke[end + 1] + share * dy];
}

/** Shifted, scaled and rotated about its own center. */
function placed(stroke: readonly number[], dx: number, dy: number, scale: number, angle: number): number[] {
  const count = stroke.length / 2;
  let [x, y] = [0, 0];
  for (let at = 0; at < stroke.length; at += 2) {
    x += stroke[at] / count;
    y += stroke[at + 1] / count;
  }
  const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  return stroke.map((_, at) =>
    at % 2 === 0
      ? x + dx + cos * (stroke[at] - x) - sin * (stroke[at + 1] - y)
      : y + dy + sin * (stroke[at - 1] - x) + cos * (stroke[at] - y),
  );
}

/** Chaikin's corner cutting (Computer Graphics and Image Processing 3, 1974), once: hands round corners. */
function smooth(stroke: readonly number[]): number[] {
  if (stroke.length <= 4) return [...stroke];
  const result = [stroke[0], stroke[1]];
  for (let at = 0; at + 3 < stroke.length; at += 2) {
    const [x0, y0, x1, y1] = [stroke[at], stroke[at + 1], stroke[at + 2], stroke[at + 3]];
    result.push(0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1, 0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1);
  }
  return [...result, stroke[stroke.length - 2], stroke[stroke.length - 1]];
}

/** Length of a line between two points at which a trembling hand is off by amounts of their own. */
const TREMBLE_LENGTH = 0.12;
const POINTS_BETWEEN = 4;

/** The stroke in short lines, shifted by noise that changes slowly along it. */
function trembling(stroke: readonly number[], deviation: number, random: RandomStream): number[] {
  if (deviation === 0 || stroke.length < 4) return [...stroke];
  const step = TREMBLE_LENGTH / POINTS_BETWEEN;
  const points = resampled(stroke, step);
  const count = points.length / 2;
  const knots = Array.from(
    { length: 2 * (Math.ceil(count / POINTS_BETWEEN) + 2) },
    () => deviation * (2 * random.uniform() - 1),
  );
  return points.map((value, at) => {
    const place = (at >> 1) / POINTS_BETWEEN;
    const knot = Math.floor(place);
    // Smooth at the knots.
    const share = (1 - Math.cos(Math.PI * (place - knot))) / 2;
    return value + (1 - share) * knots[2 * knot + (at % 2)] + share * knots[2 * knot + 2 + (at % 2)];
  });
}

/** Points along a stroke, `step` apart, its last one included. */
function resampled(stroke: readonly number[], step: number): number[] {
  const result: number[] = [];
  let rest = 0;
  for (let at = 0; at + 3 < stroke.length; at += 2) {
    const [dx, dy] = [stroke[at + 2] - stroke[at], stroke[at + 3] - stroke[at + 1]];
    const length = Math.hypot(dx, dy);
    for (; rest < length; rest += step)
      result.push(stroke[at] + (rest / length) * dx, stroke[at + 1] + (rest / length) * dy);
    rest -= length;
  }
  return [...result, stroke[stroke.length - 2], stroke[stroke.length - 1]];
}
