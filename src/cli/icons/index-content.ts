/** The content of an icon index: taken over from an earlier one, and put together of drawings. */
import { existsSync } from 'node:fs';
import { ICONS_COMMAND, openIconIndex, type IconIndex } from '../../retrieval/icon-index.ts';
import { ICON_STYLES, iconStyle } from '../../retrieval/icon-style.ts';
import { IndexFileError } from '../../retrieval/index-file.ts';
import { note } from '../display/progress.ts';
import type { Drawn, PartsOrigin } from '../files/icon-parts.ts';
import { readGivenFile } from '../files/model-file.ts';
import { OptionError } from '../options/option.ts';
import type { ListedSet } from './sets.ts';

/**
 * Takes over what an index that is there has of the same model and renderer.
 * @throws OptionError where the file is something else, which is not overwritten
 */
export async function readEarlier(
  out: string,
  { modelChecksum, dimension, renderer }: PartsOrigin,
  drawn: Map<string, Drawn>,
): Promise<IconIndex | undefined> {
  if (!existsSync(out)) return undefined;
  const index = await openIconIndex(await readGivenFile(out, '--out'), out).catch((cause: Error) => {
    throw new OptionError(
      `--out: ${out} exists, and is no index that ${ICONS_COMMAND} can update; delete it, or give another file (${cause.message})`,
      { cause },
    );
  });
  const { sources, vectors, names } = index;
  if (sources === undefined || index.modelChecksum !== modelChecksum || sources.renderer !== renderer) {
    note(`${out} was made by another model or renderer, and is made again`);
    return undefined;
  }
  names.forEach((_, row) =>
    drawn.set(digestOf(sources.digests, row), {
      vector: vectors.subarray(row * dimension, (row + 1) * dimension),
      thick: sources.thick[row],
    }),
  );
  return index;
}

/** The index of all icons that could be drawn, and what is wrong with the others. */
export function assemble(
  listed: readonly ListedSet[],
  drawn: ReadonlyMap<string, Drawn>,
  { modelChecksum, dimension, renderer }: PartsOrigin,
): { readonly index: IconIndex; readonly failures: readonly string[] } {
  const failures: string[] = [];
  const sets = listed
    .map(({ icons, ...set }) => ({
      ...set,
      icons: icons.flatMap((icon) => {
        const one = drawn.get(icon.digest);
        if (one === undefined)
          throw new IndexFileError(
            `the drawing of ${set.prefix}:${icon.name} is missing: its set was changed while it was indexed; start ${ICONS_COMMAND} again`,
          );
        if ('vector' in one) return [{ ...icon, ...one }];
        failures.push(`${set.prefix}:${icon.name}: ${one.failure}`);
        return [];
      }),
    }))
    .filter(({ icons }) => icons.length > 0);
  const count = sets.reduce((sum, { icons }) => sum + icons.length, 0);
  const index = {
    sets: sets.map(({ prefix, title, licence, icons }) => ({ prefix, title, licence, count: icons.length })),
    names: [] as string[],
    styles: new Uint8Array(count),
    vectors: new Int8Array(count * dimension),
    dimension,
    modelChecksum,
    sources: { digests: new Uint32Array(2 * count), thick: new Uint8Array(count), renderer },
  };
  for (const { styles, icons } of sets) {
    for (const { name, digest, takesTextColour, vector, thick } of icons) {
      const row = index.names.push(name) - 1;
      index.styles[row] = ICON_STYLES.indexOf(iconStyle(styles, name, takesTextColour, thick / 255));
      index.vectors.set(vector, row * dimension);
      index.sources.digests.set([parseInt(digest.slice(0, 8), 16), parseInt(digest.slice(8), 16)], 2 * row);
      index.sources.thick[row] = thick;
    }
  }
  return { index, failures };
}

/** As `iconDigest` gives it. */
const digestOf = (digests: Uint32Array, row: number): string =>
  [digests[2 * row], digests[2 * row + 1]].map((word) => word.toString(16).padStart(8, '0')).join('');
