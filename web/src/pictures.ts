import type { DecodedPicture } from '../../src/data/resample.ts';
import { sketchSquare, type SketchFraming } from '../../src/data/sketch-framing.ts';
import { decodePicture } from '../../src/platform/browser/images.ts';

/** A square of a sheet that holds many pictures. */
export interface Tile {
  readonly sheet: Blob;
  readonly left: number;
  readonly top: number;
  /** In pixels. */
  readonly side: number;
}

/** A picture as the page hands it over: a file, what was drawn, or a part of a file. */
export type Picture = Blob | DecodedPicture | Tile;

/** What a search is made by: a sketch, or several that search together. */
export type Query = Picture | readonly Picture[];

export const sketchesOf = (query: Query): readonly Picture[] => (query instanceof Array ? query : [query]);

/**
 * A picture for a network. @param framing how a sketch is laid out; a photo is `whole` @returns RGB u8, row-major
 * [size, size, 3] @throws ImageError where it cannot be decoded
 */
export async function squareOf(
  picture: Picture,
  size: number,
  name: string,
  framing?: SketchFraming,
): Promise<Uint8Array> {
  if (picture instanceof Blob) return sketchSquare(await decodePicture(picture, name), size, framing);
  return sketchSquare('sheet' in picture ? await cutTile(picture, name) : picture, size, framing);
}

/** A picture for a canvas. @throws DOMException where it cannot be decoded */
export function bitmapOf(picture: Blob | Tile): Promise<ImageBitmap> {
  return picture instanceof Blob
    ? createImageBitmap(picture)
    : createImageBitmap(picture.sheet, picture.left, picture.top, picture.side, picture.side);
}

/** Sheets are decoded once a call: tiles that came in one message share one of them. */
const sheets = new WeakMap<Blob, Promise<DecodedPicture>>();

async function cutTile({ sheet, left, top, side }: Tile, name: string): Promise<DecodedPicture> {
  const decoding = sheets.get(sheet) ?? decodePicture(sheet, name);
  sheets.set(sheet, decoding);
  const { width, data } = await decoding;
  const tile = new Uint8Array(4 * side * side);
  for (let y = 0; y < side; y++)
    tile.set(data.subarray(4 * ((top + y) * width + left), 4 * ((top + y) * width + left + side)), 4 * side * y);
  return { width: side, height: side, data: tile };
}

export function withAlpha(rgb: Uint8Array): Uint8Array {
  const rgba = new Uint8Array((rgb.length / 3) * 4).fill(255);
  for (let pixel = 0; pixel < rgb.length / 3; pixel++) rgba.set(rgb.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  return rgba;
}
