/** Drawings as strokes, and their pixels. */

/** The points that a pen passes: x0, y0, x1, y1, ...; units are the drawing's own. */
export type Stroke = readonly number[];

/** White around a drawing, as a share of the longer side of its bounds, on each side. */
const MARGIN = 0.04;

/** The rectangle that holds all points. */
export function strokeBounds(strokes: readonly Stroke[]): { left: number; top: number; right: number; bottom: number } {
  const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const stroke of strokes) {
    for (let at = 0; at < stroke.length; at += 2) {
      bounds.left = Math.min(bounds.left, stroke[at]);
      bounds.right = Math.max(bounds.right, stroke[at]);
      bounds.top = Math.min(bounds.top, stroke[at + 1]);
      bounds.bottom = Math.max(bounds.bottom, stroke[at + 1]);
    }
  }
  return bounds;
}

/**
 * Strokes moved and scaled into the unit square: the longer side of their bounds fills it but for a margin and the pen,
 * the shorter one is in the middle.
 * @param pen width, as a share of the square's side
 */
export function fitStrokes(strokes: readonly Stroke[], pen: number): number[][] {
  const { left, top, right, bottom } = strokeBounds(strokes);
  const extent = Math.max(right - left, bottom - top);
  const scale = extent > 0 ? (1 - pen) / (extent * (1 + 2 * MARGIN)) : 0;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return strokes.map((stroke) => stroke.map((value, index) => 0.5 + scale * (value - (index % 2 === 0 ? x : y))));
}

/**
 * Draws strokes with a round pen, black on white, with smooth edges: the share of a pixel that is covered falls
 * linearly within a pixel around the pen's rim.
 *
 * @param strokes in the unit square
 * @param pen width, as a share of the side
 * @param size side of the result in pixels
 * @returns RGB u8, row-major [size, size, 3]
 */
export function drawStrokes(strokes: readonly Stroke[], pen: number, size: number): Uint8Array {
  /** Squared distance of each pixel's center to the nearest line, in pixels. */
  const distances = new Float32Array(size * size).fill(Infinity);
  const radius = (pen * size) / 2;
  for (const stroke of strokes) {
    for (let at = 0; at + 1 < stroke.length; at += 2) {
      // A stroke of one point is a dot.
      const next = at + 3 < stroke.length ? at + 2 : at;
      if (next === at && at > 0) break;
      markLine(
        distances,
        size,
        radius + 1,
        stroke[at] * size - 0.5,
        stroke[at + 1] * size - 0.5,
        stroke[next] * size - 0.5,
        stroke[next + 1] * size - 0.5,
      );
    }
  }
  const pixels = new Uint8Array(3 * size * size);
  for (let at = 0; at < distances.length; at++) {
    const level = Math.round(255 * Math.min(1, Math.max(0, Math.sqrt(distances[at]) - radius + 0.5)));
    pixels[3 * at] = pixels[3 * at + 1] = pixels[3 * at + 2] = level;
  }
  return pixels;
}

/** Lowers the squared distances of the pixels that are no farther than `reach` from a line. */
function markLine(
  distances: Float32Array,
  size: number,
  reach: number,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
): void {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const squared = dx * dx + dy * dy;
  const left = Math.max(0, Math.ceil(Math.min(x0, x1) - reach));
  const right = Math.min(size - 1, Math.floor(Math.max(x0, x1) + reach));
  const bottom = Math.min(size - 1, Math.floor(Math.max(y0, y1) + reach));
  for (let y = Math.max(0, Math.ceil(Math.min(y0, y1) - reach)); y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = squared === 0 ? 0 : Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / squared));
      const [offX, offY] = [x - x0 - along * dx, y - y0 - along * dy];
      const distance = offX * offX + offY * offY;
      if (distance < distances[y * size + x]) distances[y * size + x] = distance;
    }
  }
}

/** Points of a coordinate in encoded strokes. */
const CODED_SIDE = 255;

/**
 * Strokes in bytes, to be kept and sent to a thread: for each stroke the number of its points, then the coordinates in
 * 255ths; longer strokes come in pieces. A 0 ends them.
 *
 * @param strokes in the unit square
 * @param most bytes of the result; strokes that do not fit are left out
 */
export function encodeStrokes(strokes: readonly Stroke[], most: number): Uint8Array {
  const bytes = new Uint8Array(most);
  let at = 0;
  for (const stroke of strokes) {
    // Pieces share a point, so that no line is lost.
    for (let first = 0; first === 0 || first + 2 < stroke.length; first += 2 * (CODED_SIDE - 1)) {
      const piece = stroke.slice(first, first + 2 * CODED_SIDE);
      if (at + 2 + piece.length > most) return bytes;
      bytes[at] = piece.length / 2;
      bytes.set(
        piece.map((value) => Math.round(CODED_SIDE * Math.min(1, Math.max(0, value)))),
        at + 1,
      );
      at += 1 + piece.length;
    }
  }
  return bytes;
}

export function decodeStrokes(bytes: Uint8Array): number[][] {
  const strokes: number[][] = [];
  for (let at = 0; at < bytes.length && bytes[at] > 0; at += 1 + 2 * bytes[at])
    strokes.push(Array.from(bytes.subarray(at + 1, at + 1 + 2 * bytes[at]), (value) => value / CODED_SIDE));
  return strokes;
}
