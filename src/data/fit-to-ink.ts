import { onWhite, type DecodedPicture } from './resample.ts';

/**
 * White on each side of a fitted drawing, as a share of the square's side. The drawing pad leaves 0.06 around the
 * middle of its lines.
 */
export const INK_MARGIN = 0.05;
/**
 * How much darker than white one channel of a pixel must be to count as ink: above the noise of JPEG, below a pale
 * line.
 */
const INK_LEVEL = 24;

/** A rectangle of pixels; right and bottom are excluded. */
export interface InkBounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Cuts a drawing to its ink and centers it on a white square, its proportions kept. Icons are indexed so, and drawings
 * that search are laid out so (`sketchSquare`): the size and the place of a drawing on its page say nothing of what it
 * shows. A picture without white around it keeps its content and becomes square.
 *
 * The result has the picture's own resolution; `stretchToSquare` takes it to a network's size. The arithmetic is on
 * whole numbers, the same in every runtime.
 * @returns RGB; undefined where there is no ink
 */
export function fitToInk(picture: DecodedPicture): DecodedPicture | undefined {
  const colors = onWhite(picture);
  const bounds = inkBounds(colors, picture.width, picture.height);
  if (bounds === undefined) return undefined;
  const width = bounds.right - bounds.left;
  const height = bounds.bottom - bounds.top;
  const side = Math.max(Math.ceil(Math.max(width, height) / (1 - 2 * INK_MARGIN)), 2);
  const data = new Uint8Array(3 * side * side).fill(255);
  const left = (side - width) >> 1;
  const top = (side - height) >> 1;
  for (let row = 0; row < height; row++) {
    const from = 3 * ((bounds.top + row) * picture.width + bounds.left);
    data.set(colors.subarray(from, from + 3 * width), 3 * ((top + row) * side + left));
  }
  return { width: side, height: side, data };
}

/** @param colors RGB u8, [height, width, 3] @returns undefined where there is no ink */
export function inkBounds(colors: Uint8Array, width: number, height: number): InkBounds | undefined {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    const row = 3 * y * width;
    let first = 0;
    while (first < width && !isInk(colors, row + 3 * first)) first++;
    if (first === width) continue;
    let last = width - 1;
    while (!isInk(colors, row + 3 * last)) last--;
    if (top === height) top = y;
    bottom = y + 1;
    left = Math.min(left, first);
    right = Math.max(right, last + 1);
  }
  return bottom === 0 ? undefined : { left, top, right, bottom };
}

/** Whether a pixel is ink. @param colors RGB u8 @param at of its red */
export const isInk = (colors: Uint8Array, at: number): boolean =>
  Math.min(colors[at], colors[at + 1], colors[at + 2]) <= 255 - INK_LEVEL;
