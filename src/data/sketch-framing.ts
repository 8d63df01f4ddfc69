/**
 * How a drawing is laid out on the square that a network sees. All search paths and all runtimes go through
 * `sketchSquare`.
 */
import { fitToInk, inkBounds, isInk } from './fit-to-ink.ts';
import { onWhite, stretchToSquare, type DecodedPicture } from './resample.ts';

/**
 * `whole`: the sheet is stretched, as a photo is. `fitted`: it is cut to its ink first, unless there is nothing to cut
 * (`fitSketch`). A model says which of the two it was trained with. `icon`: the drawing is laid out exactly as icons
 * are where they are indexed (`fitToInk`), whatever the model says.
 */
export type SketchFraming = 'whole' | 'fitted' | 'icon';

/**
 * A drawing fills a square sheet if its ink has this share of the side, about the middle. Fitting would change its
 * scale by 2 % at the lower end.
 */
const FILLED = 0.88;
/** How far from the middle of the sheet that of its ink may be then, as a share of the side. */
const OFF_CENTRE = 0.05;
/** A picture with a larger share of ink is no drawing on white, but a photo, or white lines on black. */
const MOST_INK = 0.9;

/**
 * A sketch for a network: laid on white, cut to its ink if the network was trained so, and stretched to a square.
 * @param size side of the result in pixels
 * @param framing `whole` if left out
 * @returns RGB u8, row-major [size, size, 3]
 * @throws RangeError where the picture's bytes are not those of its size
 */
export function sketchSquare(picture: DecodedPicture, size: number, framing: SketchFraming = 'whole'): Uint8Array {
  if (framing === 'whole') return stretchToSquare(picture, size);
  return stretchToSquare(framing === 'fitted' ? fitSketch(picture) : (fitToInk(picture) ?? picture), size);
}

/**
 * Cuts a sketch to its ink (`fitToInk`).
 * @returns the picture itself where there is nothing to cut: a blank one, one that fills its square sheet, and one that
 * is not drawn on white
 */
export function fitSketch(picture: DecodedPicture): DecodedPicture {
  const { width, height } = picture;
  const colors = onWhite(picture);
  if (inkShare(colors) > MOST_INK) return picture;
  const bounds = inkBounds(colors, width, height);
  if (bounds === undefined) return picture;
  const { left, top, right, bottom } = bounds;
  const isCentred = Math.max(Math.abs(left + right - width), Math.abs(top + bottom - height)) <= 2 * OFF_CENTRE * width;
  if (width === height && isCentred && Math.max(right - left, bottom - top) >= FILLED * width) return picture;
  return fitToInk(picture) as DecodedPicture;
}

/** The share of pixels that are ink. @param colors RGB u8, [pixels, 3] */
function inkShare(colors: Uint8Array): number {
  let ink = 0;
  for (let at = 0; at < colors.length; at += 3) ink += Number(isInk(colors, at));
  return (3 * ink) / colors.length;
}
