/** What is on a drawing pad, and the pictures that a search gets of it. */
import type { DecodedPicture } from '../../src/data/resample.ts';
import { visibleBounds, type Point, type Stroke } from './strokes.ts';

/** Side of the picture that is handed over, in pixels. */
export const SIDE = 256;
/** Share of the side that stays white around what was drawn. */
const MARGIN = 0.06;
/** Width of a line on the pad, and in the picture, as a share of the side. */
export const LINE = 0.022;
/** The longer side of a picture as the pad holds it, in pixels. */
const SHOWN_SIDE = 1024;

export interface Backdrop {
  readonly picture: Blob;
  readonly bitmap: ImageBitmap;
}

/** A stored sketch, which is searched together with the drawing on the pad. */
export interface OtherSketch {
  readonly picture: Blob | DecodedPicture;
  /** Shows it where it is a file. */
  readonly bitmap: ImageBitmap | undefined;
}

export interface Content {
  readonly strokes: readonly Stroke[];
  readonly backdrop: Backdrop | undefined;
  readonly others: readonly OtherSketch[];
}

export const NOTHING: Content = { strokes: [], backdrop: undefined, others: [] };

/**
 * What was drawn. A picture is handed over as it came, so that its numbers are those of any other runtime; a drawing is
 * cut to its bounds: networks have seen sketches that fill their square.
 */
export function pictureOf({ strokes, backdrop }: Content): Blob | DecodedPicture {
  if (backdrop !== undefined && strokes.length === 0) return backdrop.picture;
  const context = new OffscreenCanvas(SIDE, SIDE).getContext('2d') as OffscreenCanvasRenderingContext2D;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, SIDE, SIDE);
  if (backdrop !== undefined) context.drawImage(backdrop.bitmap, 0, 0, SIDE, SIDE);
  const bounds = backdrop === undefined ? visibleBounds(strokes) : undefined;
  if (bounds !== undefined) {
    const extent = Math.max(bounds.right - bounds.left, bounds.bottom - bounds.top, 0.05);
    const scale = (SIDE * (1 - 2 * MARGIN)) / extent;
    const centre = { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2 };
    const place = ({ x, y }: Point): Point => ({
      x: SIDE / 2 + (x - centre.x) * scale,
      y: SIDE / 2 + (y - centre.y) * scale,
    });
    // What the pad does not show is not in the picture either.
    const corner = place({ x: 0, y: 0 });
    context.beginPath();
    context.rect(corner.x, corner.y, scale, scale);
    context.clip();
    drawStrokes(context, strokes, place, LINE * SIDE);
  } else {
    drawStrokes(context, strokes, ({ x, y }) => ({ x: x * SIDE, y: y * SIDE }), LINE * SIDE);
  }
  return context.getImageData(0, 0, SIDE, SIDE);
}

/** A picture of the pad as a file. */
export async function fileOf(picture: Blob | DecodedPicture): Promise<Blob> {
  if (picture instanceof Blob) return picture;
  const { width, height, data } = picture;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height), 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}

/** Decodes a picture, upright, and makes it as small as a pad needs it. */
export async function smallBitmap(picture: Blob): Promise<ImageBitmap> {
  const bitmap = await createImageBitmap(picture, { imageOrientation: 'from-image' });
  const scale = SHOWN_SIDE / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return bitmap;
  const size = {
    resizeWidth: Math.max(1, Math.round(bitmap.width * scale)),
    resizeHeight: Math.max(1, Math.round(bitmap.height * scale)),
  };
  const small = await createImageBitmap(bitmap, { ...size, resizeQuality: 'high' });
  bitmap.close();
  return small;
}

export function drawStrokes(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  strokes: readonly Stroke[],
  place: (point: Point) => Point,
  width: number,
): void {
  context.lineWidth = width;
  context.lineCap = context.lineJoin = 'round';
  context.strokeStyle = '#000';
  for (const stroke of strokes) {
    context.beginPath();
    stroke.map(place).forEach(({ x, y }, index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    if (stroke.length === 1) context.lineTo(place(stroke[0]).x + 0.01, place(stroke[0]).y);
    context.stroke();
  }
}
