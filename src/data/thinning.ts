/**
 * Thinning of bitmaps: lines become one pixel wide and keep their connections (T. Y. Zhang and C. Y. Suen, "A fast
 * parallel algorithm for thinning digital patterns", Communications of the ACM 27, 1984).
 */

/**
 * @param mask 1 where there is ink, else 0; row-major [side, side], the outermost pixels 0
 * @returns a new mask of the same kind, with ink only where the input has some
 */
export function thinnedLines(mask: Uint8Array, side: number): Uint8Array {
  const lines = Uint8Array.from(mask);
  let ink = Array.from(lines.keys()).filter((place) => lines[place] === 1);
  // Two passes take turns, one for each diagonal half of a border, so that a line two pixels wide does not vanish.
  for (let before = Infinity; ink.length < before;) {
    before = ink.length;
    for (const half of [0, 1] as const) {
      const border = ink.filter((place) => canGo(lines, side, place, half));
      for (const place of border) lines[place] = 0;
      ink = ink.filter((place) => lines[place] === 1);
    }
  }
  return lines;
}

/** Whether a pixel is on this half of the border, no end of a line, and no bridge between two parts. */
function canGo(lines: Uint8Array, side: number, place: number, half: 0 | 1): boolean {
  // Clockwise from the one above; the paper's p2 to p9.
  const [top, right, bottom, left] = [lines[place - side], lines[place + 1], lines[place + side], lines[place - 1]];
  const [topRight, bottomRight, bottomLeft, topLeft] = [
    lines[place - side + 1],
    lines[place + side + 1],
    lines[place + side - 1],
    lines[place - side - 1],
  ];
  const neighbors = top + topRight + right + bottomRight + bottom + bottomLeft + left + topLeft;
  if (neighbors < 2 || neighbors > 6) return false;
  // Changes from white to ink around the pixel: more than one, and it joins two parts.
  const rises =
    +(top < topRight) +
    +(topRight < right) +
    +(right < bottomRight) +
    +(bottomRight < bottom) +
    +(bottom < bottomLeft) +
    +(bottomLeft < left) +
    +(left < topLeft) +
    +(topLeft < top);
  if (rises !== 1) return false;
  return half === 0 ? right * bottom * (top + left) === 0 : top * left * (right + bottom) === 0;
}
