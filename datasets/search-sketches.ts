/** The sketches of the search data that are strokes: people's drawings, and sketches simulated of pictures. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError, type Sample } from '../src/data/dataset.ts';
import { cacheFolder } from '../src/platform/node/cache-folder.ts';
import { bitmapDrawings, bitmapFolder, bitmapStrokes } from './bitmap-drawings.ts';
import { parseDrawing } from './drawings.ts';
import { heldOutClass } from './held-out.ts';
import { iconRenderer } from './icon-drawings.ts';
import { nounOf } from './nouns.ts';
import { cachedPixels } from './pixel-cache.ts';
import { digest, type SearchDataOptions } from './search-options.ts';
import { drawingStrokes, pictureStrokes, STROKE_BYTES, type SketchStrokes } from './simulated-sketches.ts';
import { mainNoun } from './training-icons.ts';

/** Raise this when the same source is to give other pixels or strokes than before. */
const RENDERING_VERSION = 2;

/** A sample whose sketch is drawn anew for each use. */
export interface Drawn extends SketchStrokes {
  readonly sample: Sample;
}

/** People's drawings of the words that the folder has: its own, and the bitmaps of an installed package. */
export async function drawingsOf(
  folder: string,
  { drawingsPerWord = 200, project = '.', cacheFolder: kept = cacheFolder(), onProgress }: SearchDataOptions,
): Promise<Drawn[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).sort();
  if (files.length === 0)
    throw new DatasetError(
      `${folder}: there is no .ndjson file of drawings in it; sketchgrad data how quickdraw says where they come from`,
    );
  const bitmapsIn = await bitmapFolder(project);
  const drawn: Drawn[] = [];
  const bitmaps: { readonly sample: Sample; readonly ink: readonly number[] }[] = [];
  for (const file of files) {
    const word = file.slice(0, -'.ndjson'.length);
    if (heldOutClass(word) !== undefined) continue;
    const sampleNamed = (name: string): Sample => ({
      domain: 'sketch',
      className: mainNoun(nounOf(word)),
      name,
      source: 'drawings',
    });
    const drawings = (await readFile(join(folder, file), 'utf8'))
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(parseDrawing)
      .filter(({ recognized }) => recognized)
      .slice(0, drawingsPerWord);
    for (const { key, strokes } of drawings) {
      const points = strokes.map(([x, y]) => x.flatMap((value, index) => [value, y[index]]));
      drawn.push({ sample: sampleNamed(`drawings/${word}/${key}`), from: 'drawing', strokes: drawingStrokes(points) });
    }
    const inks = bitmapsIn === undefined ? [] : await bitmapDrawings(bitmapsIn, word);
    bitmaps.push(
      ...inks.slice(0, drawingsPerWord).map((ink, index) => ({ sample: sampleNamed(`bitmaps/${word}/${index}`), ink })),
    );
  }
  const strokes = await cachedStrokes(
    'bitmaps',
    bitmaps.map(({ sample }) => sample.name),
    async (index) => drawingStrokes(bitmapStrokes(bitmaps[index].ink)),
    kept,
    onProgress,
  );
  return [
    ...drawn,
    ...bitmaps.flatMap(({ sample }, index): Drawn[] =>
      strokes[index][0] === 0 ? [] : [{ sample, from: 'drawing', strokes: strokes[index] }],
    ),
  ];
}

/** Strokes that take long to find are kept on disk. @param what of the name of the file */
async function cachedStrokes(
  what: string,
  names: readonly string[],
  find: (index: number) => Promise<Uint8Array>,
  folder: string,
  onProgress: SearchDataOptions['onProgress'],
): Promise<Uint8Array[]> {
  const kept = await cachedPixels({
    path: join(
      folder,
      `search-${what}-${digest(JSON.stringify({ RENDERING_VERSION, renderer: await iconRenderer(), names })).slice(0, 12)}`,
    ),
    names,
    bytesPerImage: STROKE_BYTES,
    render: find,
    onProgress,
  });
  return names.map((_, index) => kept.subarray(index * STROKE_BYTES, (index + 1) * STROKE_BYTES));
}

/**
 * Simulated sketches of classes with more than one picture: a picture alone in its class would only teach that it is
 * like itself.
 */
export function withSeveralPictures(simulated: readonly Drawn[], photos: readonly Sample[]): Drawn[] {
  const counts = new Map<string, number>();
  for (const { className } of photos) counts.set(className, (counts.get(className) ?? 0) + 1);
  return simulated.filter(({ sample: { className } }) => (counts.get(className) as number) > 1);
}

/** A sketch for each picture, by its edges, which are kept on disk. */
export async function simulatedSketches(
  photos: readonly Sample[],
  read: (sample: Sample) => Promise<Uint8Array>,
  { cacheFolder: folder = cacheFolder(), onProgress }: SearchDataOptions,
): Promise<Drawn[]> {
  const strokes = await cachedStrokes(
    'edges',
    photos.map(({ name }) => name),
    async (index) => pictureStrokes(await read(photos[index])),
    folder,
    onProgress,
  );
  return photos.flatMap(({ className, name }, index): Drawn[] =>
    strokes[index][0] === 0
      ? []
      : [
          {
            sample: { domain: 'sketch', className, name: `simulated/${name}`, source: 'simulated', of: name },
            from: 'picture',
            strokes: strokes[index],
          },
        ],
  );
}
