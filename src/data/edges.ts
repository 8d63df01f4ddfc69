/**
 * The outlines of a picture as strokes: Canny's edge detector ("A computational approach to edge detection", PAMI 8,
 * 1986) on each color channel. At each pixel the channel with the steepest gradient counts. Edge pixels are then
 * followed from end to end.
 */

/**
 * Edges begin where the gradient is at least this, in gray levels a pixel, and go on while it is at least the second.
 */
const BEGINS_AT = 24;
const GOES_ON_AT = 10;
/** Edges of fewer pixels are specks. */
const SHORTEST = 5;
/** Weights of the Gaussian that removes noise, radius 2, standard deviation 1; they sum to 1. */
const GAUSSIAN = [0.0545, 0.2442, 0.4026, 0.2442, 0.0545];

/**
 * @param pixels RGB u8, row-major [side, side, 3]
 * @returns strokes x0, y0, x1, y1, ... in the unit square, the longest first
 */
export function edgeStrokes(pixels: Uint8Array, side: number): number[][] {
  const framed = withFrame(pixels, side);
  const wide = side + 2 * FRAME;
  const { magnitudes, directions } = gradients(blurred(framed, wide), wide);
  const edges = thinned(magnitudes, directions, wide);
  return followLines(edges, wide)
    .filter(({ length }) => length >= 2 * SHORTEST)
    .map((stroke) => stroke.map((value) => Math.min(1, Math.max(0, (value - FRAME + 0.5) / side))));
}

/** Pixels of white around the picture, so that what reaches its border has an edge there. */
const FRAME = 3;

function withFrame(pixels: Uint8Array, side: number): Uint8Array {
  const wide = side + 2 * FRAME;
  const framed = new Uint8Array(3 * wide * wide).fill(255);
  for (let y = 0; y < side; y++)
    framed.set(pixels.subarray(3 * y * side, 3 * (y + 1) * side), 3 * ((y + FRAME) * wide + FRAME));
  return framed;
}

/** Each channel smoothed, [3, side, side]; borders repeat. */
function blurred(pixels: Uint8Array, side: number): Float32Array {
  const planes = new Float32Array(3 * side * side);
  for (let at = 0; at < side * side; at++)
    for (let channel = 0; channel < 3; channel++) planes[channel * side * side + at] = pixels[3 * at + channel];
  return smoothed(smoothed(planes, side, 1, side), side, side, 1);
}

/** Lines of `side` values, `step` apart, smoothed; lines are `lineStep` apart. */
function smoothed(planes: Float32Array, side: number, step: number, lineStep: number): Float32Array {
  const result = new Float32Array(planes.length);
  for (let plane = 0; plane < planes.length; plane += side * side) {
    for (let line = 0; line < side; line++) {
      const start = plane + line * lineStep;
      for (let place = 0; place < side; place++) {
        let sum = 0;
        for (let tap = -2; tap <= 2; tap++)
          sum += GAUSSIAN[tap + 2] * planes[start + Math.min(side - 1, Math.max(0, place + tap)) * step];
        result[start + place * step] = sum;
      }
    }
  }
  return result;
}

/**
 * Per pixel the gradient of the channel that has the steepest: its magnitude, and its direction in eighths of a turn, 0
 * to 3 (opposite ones are the same).
 */
function gradients(planes: Float32Array, side: number): { magnitudes: Float32Array; directions: Uint8Array } {
  const magnitudes = new Float32Array(side * side);
  const directions = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = y * side + x;
      for (let plane = 0; plane < planes.length; plane += side * side) {
        const dx =
          (planes[plane + y * side + Math.min(side - 1, x + 1)] - planes[plane + y * side + Math.max(0, x - 1)]) / 2;
        const dy =
          (planes[plane + Math.min(side - 1, y + 1) * side + x] - planes[plane + Math.max(0, y - 1) * side + x]) / 2;
        const magnitude = Math.hypot(dx, dy);
        if (magnitude <= magnitudes[at]) continue;
        magnitudes[at] = magnitude;
        directions[at] = (Math.round((4 * Math.atan2(dy, dx)) / Math.PI) + 8) % 4;
      }
    }
  }
  return { magnitudes, directions };
}

/** 1 where the gradient is a ridge, and steep enough or connected with where it is. The outermost pixels are none. */
function thinned(magnitudes: Float32Array, directions: Uint8Array, side: number): Uint8Array {
  const steps = stepsOf(side);
  const ridges = new Uint8Array(side * side);
  const open: number[] = [];
  for (let y = 1; y < side - 1; y++) {
    for (let x = 1; x < side - 1; x++) {
      const at = y * side + x;
      const across = steps[directions[at]];
      // One of two equal neighbors is taken, so that a step of two pixels is one edge.
      if (
        magnitudes[at] < GOES_ON_AT ||
        magnitudes[at] < magnitudes[at + across] ||
        magnitudes[at] <= magnitudes[at - across]
      )
        continue;
      ridges[at] = 1;
      if (magnitudes[at] >= BEGINS_AT) open.push(at);
    }
  }
  const edges = new Uint8Array(side * side);
  while (open.length > 0) {
    const place = open.pop() as number;
    if (edges[place] === 1) continue;
    edges[place] = 1;
    for (const step of steps) if (ridges[place + step] === 1 && edges[place + step] === 0) open.push(place + step);
  }
  return edges;
}

/** From a pixel's place to its neighbors', by eighths of a turn. */
const stepsOf = (side: number): readonly number[] => [1, side + 1, side, side - 1, -1, -side - 1, -side, -side + 1];

/**
 * The pixels of thin lines in the order in which a pen would pass them: from ends first, then around what has none.
 *
 * @param edges 1 on a line, else 0; row-major [side, side], the outermost pixels 0
 * @returns strokes x0, y0, x1, y1, ... in pixels, the longest first
 */
export function followLines(edges: Uint8Array, side: number): number[][] {
  const steps = stepsOf(side);
  const left = Uint8Array.from(edges);
  const strokes: number[][] = [];
  const trace = (start: number): void => {
    const places = [start];
    left[start] = 0;
    let heading = -1;
    for (let here = start; ;) {
      // A pen goes straight on where lines meet.
      let [best, leastTurn] = [-1, Infinity];
      for (let direction = 0; direction < 8; direction++) {
        if (left[here + steps[direction]] === 0) continue;
        const difference = Math.abs(direction - heading);
        const turn = heading < 0 ? direction % 2 : Math.min(difference, 8 - difference);
        if (turn < leastTurn) [best, leastTurn] = [direction, turn];
      }
      if (best < 0) break;
      heading = best;
      here += steps[best];
      left[here] = 0;
      places.push(here);
    }
    // A loop ends where it began.
    if (places.length > 3 && steps.includes(start - places[places.length - 1])) places.push(start);
    strokes.push(places.flatMap((place) => [place % side, Math.floor(place / side)]));
  };
  const degree = (place: number): number => steps.reduce((count, step) => count + left[place + step], 0);
  for (let place = 0; place < left.length; place++) if (left[place] === 1 && degree(place) === 1) trace(place);
  for (let place = 0; place < left.length; place++) if (left[place] === 1) trace(place);
  return strokes.sort((a, b) => b.length - a.length);
}
