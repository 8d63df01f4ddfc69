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

/** The bounds of what can be seen of strokes: a pointer that leaves the pad goes on with its stroke, but what is off the pad does not count. Undefined for nothing. */
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

/** The ends of the part of a line that is on the pad (Liang and Barsky 1984); none where all of it is off. */
function visiblePart(from: Point, to: Point): Point[] {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  let [enter, leave] = [0, 1];
  for (const [step, distance] of [[-dx, from.x], [dx, 1 - from.x], [-dy, from.y], [dy, 1 - from.y]]) {
    if (step === 0 && distance < 0) return [];
    if (step < 0) enter = Math.max(enter, distance / step);
    if (step > 0) leave = Math.min(leave, distance / step);
  }
  if (enter > leave) return [];
  return [enter, leave].map((share) => ({ x: from.x + share * dx, y: from.y + share * dy }));
}
