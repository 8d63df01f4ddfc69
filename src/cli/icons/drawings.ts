/** Renders and embeds the drawings of icons. */
import { iconImage } from '../../../datasets/icon-drawings.ts';
import type { ImageRows } from '../../models/image-rows.ts';
import { ImageError } from '../../platform/node/images.ts';
import { toInt8Vectors } from '../../retrieval/int8-vectors.ts';
import type { Drawn } from '../files/icon-parts.ts';
import type { Drawing } from './sets.ts';

/** Renders and embeds drawings; sharp renders on its own threads while the device computes. */
export async function embedDrawings(
  rows: ImageRows,
  drawings: readonly Drawing[],
  onProgress: (done: number) => void,
): Promise<Map<string, Drawn>> {
  const thick = new Uint8Array(drawings.length);
  const failures = new Map<number, string>();
  const samples = drawings.map((_, place) => ({ domain: 'photo', className: '', name: String(place) }) as const);
  const read = async ({ name }: { readonly name: string }, size: number): Promise<Uint8Array> => {
    const place = Number(name);
    try {
      const image = await iconImage(drawings[place].icon, size, drawings[place].id);
      thick[place] = Math.round(255 * image.thick);
      return image.pixels;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      failures.set(place, error.cause instanceof Error ? error.cause.message : String(error.cause));
      // Its row is computed with the others' and dropped below.
      return new Uint8Array(3 * size * size);
    }
  };
  const vectors = toInt8Vectors(await rows.compute(samples, { read }, onProgress), rows.width);
  return new Map(
    drawings.map(({ digest }, place): [string, Drawn] => {
      const failure = failures.get(place);
      return [
        digest,
        failure === undefined
          ? { vector: vectors.subarray(place * rows.width, (place + 1) * rows.width), thick: thick[place] }
          : { failure },
      ];
    }),
  );
}
