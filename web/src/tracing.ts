import type { Collection } from './collections.ts';
import type { DrawingPad } from './drawing-pad.ts';
import { element, explain, trouble } from './page.ts';
import { bitmapOf } from './pictures.ts';

/** The longer side of an SVG as it is drawn over, in pixels. */
const SVG_SIDE = 512;

/**
 * Lets pictures be laid faintly under the pad, to be drawn over. They are no part of the query.
 * @returns lays one there
 */
export function offerTracing(pad: DrawingPad): (collection: Collection, index: number) => Promise<void> {
  document
    .querySelector('.tools')
    ?.insertAdjacentHTML('beforeend', '<button id="untrace" type="button" hidden>Take the picture away</button>');
  const untrace = element<HTMLButtonElement>('untrace');
  const lay = (picture: ImageBitmap | undefined, said: string): void => {
    pad.underlay = picture;
    untrace.hidden = picture === undefined;
    element('pad-said').textContent = said;
    pad.canvas.focus();
  };
  untrace.addEventListener('click', () => lay(undefined, 'The picture under the drawing is gone.'));
  return async (collection, index) => {
    try {
      lay(
        await pictureOf(collection, index),
        `${collection.names[index]} is under the drawing, to be drawn over. It is not searched for.`,
      );
    } catch (error) {
      trouble(explain(error));
    }
  };
}

async function pictureOf(collection: Collection, index: number): Promise<ImageBitmap> {
  if (collection.kind === 'pictures') return bitmapOf(collection.picture(index));
  // createImageBitmap takes no SVG.
  const image = Object.assign(new Image(), {
    src: `data:image/svg+xml,${encodeURIComponent(await collection.svg(index))}`,
  });
  await image.decode();
  const scale = SVG_SIDE / Math.max(image.width, image.height);
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(scale * image.width)),
    Math.max(1, Math.round(scale * image.height)),
  );
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.transferToImageBitmap();
}
