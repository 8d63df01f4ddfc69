import { createHash } from 'node:crypto';
import { fitToInk } from '../src/data/fit-to-ink.ts';
import { stretchToSquare, type DecodedPicture } from '../src/data/resample.ts';
import { ImageError, renderSvg } from '../src/platform/node/images.ts';
import { loadSharp } from '../src/platform/node/sharp.ts';
import { INK_SIDE, thickInk } from '../src/retrieval/icon-style.ts';
import { iconSvg, type Icon } from './icon-sets.ts';

/** The longer side of an icon as it is rendered, in pixels, before its ink is fitted to the network's square. */
const RENDERED_SIDE = 256;
/** Raise this when the pixels of an icon change for another reason than its SVG or sharp. */
const DRAWING_VERSION = 1;
/** Bytes of an SVG; the largest icon of @iconify/json has 0.9 MB. */
const LARGEST_SVG = 2 ** 22;

/** An icon as an image. */
export interface IconImage {
  /** RGB u8, [size, size, 3]: black, or the icon's own colors, on white. */
  readonly pixels: Uint8Array;
  /** `thickInk` of the drawing, from 0 to 1. */
  readonly thick: number;
}

/**
 * What tells drawings apart: icons with the same digest have the same pixels. 64 bits of a SHA-256, as 16 hexadecimal
 * digits.
 */
export const iconDigest = (icon: Icon): string =>
  createHash('sha256').update(iconSvg(icon, RENDERED_SIDE)).digest('hex').slice(0, 16);

/** What an icon's pixels depend on besides its SVG. */
export const iconRenderer = async (): Promise<string> =>
  `drawing ${DRAWING_VERSION}, side ${RENDERED_SIDE}, ${Object.entries((await loadSharp()).versions)
    .filter(([name]) => ['rsvg', 'cairo', 'pixman'].includes(name))
    .map((entry) => entry.join(' '))
    .join(', ')}`;

/**
 * Renders an icon, fitted to its ink.
 * @param size side of the result in pixels
 * @throws ImageError where the SVG cannot be rendered, or nothing is drawn
 */
export async function iconImage(icon: Icon, size: number, label: string): Promise<IconImage> {
  const svg = Buffer.from(iconSvg(icon, RENDERED_SIDE));
  if (svg.length > LARGEST_SVG)
    throw new ImageError(label, `its SVG has ${svg.length} bytes, and ${LARGEST_SVG} are the most that is rendered`);
  const picture = await renderSvg(svg, label);
  const fitted = fitToInk(picture) ?? fitToInk(silhouette(picture));
  if (fitted === undefined) throw new ImageError(label, 'it draws nothing');
  return { pixels: stretchToSquare(fitted, size), thick: thickInk(stretchToSquare(fitted, INK_SIDE)) };
}

/** In black what an icon draws in white, which white paper does not show: some logos are for dark pages. */
function silhouette({ width, height, data }: DecodedPicture): DecodedPicture {
  const black = new Uint8Array(data.length);
  for (let at = 3; at < data.length; at += 4) black[at] = data[at];
  return { width, height, data: black };
}
