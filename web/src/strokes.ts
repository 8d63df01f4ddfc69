/** Strokes of a pad in shares of its sides: 0 to 1 is on the pad. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export type Stroke = readonly Point[];

/** A stroke as the points of an SVG polyline, in hundredths of the side: "x,y x,y". */
export const parseStroke = (points: string): Stroke =>
  points.split(' ').map((point) => {
    const [x, y] = point.split(',').map(Number);
    return { x: x / 100, y: y / 100 };
  });

export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * The bounds of what can be seen of strokes: a pointer that leaves the pad goes on with its stroke, but what is off the
 * pad does not count. Undefined for nothing.
 */
export function visibleBounds(strokes: readonly Stroke[]): Bounds | undefined {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const stroke of strokes) {
    for (const [index, to] of stroke.entries()) {
      for (const { x, y } of visiblePart(stroke[Math.max(0, index - 1)], to)) {
        [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
      }
    }
  }
  return left > right ? undefined : { left, top, right, bottom };
}

/** Whether a pointer that moves from one place to another comes as near to a stroke as the radius. */
export function touches(stroke: Stroke, from: Point, to: Point, radius: number): boolean {
  return stroke.some((end, index) => {
    const start = stroke[Math.max(0, index - 1)];
    if (crosses(start, end, from, to)) return true;
    return (
      Math.min(
        distance(start, from, to),
        distance(end, from, to),
        distance(from, start, end),
        distance(to, start, end),
      ) <= radius
    );
  });
}

/** Of a point from a line between two points. */
function distance(point: Point, from: Point, to: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const square = dx * dx + dy * dy;
  const share =
    square === 0 ? 0 : Math.min(1, Math.max(0, ((point.x - from.x) * dx + (point.y - from.y) * dy) / square));
  return Math.hypot(point.x - from.x - share * dx, point.y - from.y - share * dy);
}

/** Whether the inner parts of two lines cross: the ends of each are on different sides of the other. */
function crosses(a: Point, b: Point, c: Point, d: Point): boolean {
  const side = (from: Point, to: Point, { x, y }: Point): number =>
    Math.sign((to.x - from.x) * (y - from.y) - (to.y - from.y) * (x - from.x));
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

/** The ends of the part of a line that is on the pad (Liang and Barsky 1984); none where all of it is off. */
function visiblePart(from: Point, to: Point): Point[] {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  let [enter, leave] = [0, 1];
  for (const [step, distance] of [
    [-dx, from.x],
    [dx, 1 - from.x],
    [-dy, from.y],
    [dy, 1 - from.y],
  ]) {
    if (step === 0 && distance < 0) return [];
    if (step < 0) enter = Math.max(enter, distance / step);
    if (step > 0) leave = Math.min(leave, distance / step);
  }
  if (enter > leave) return [];
  return [enter, leave].map((share) => ({ x: from.x + share * dx, y: from.y + share * dy }));
}
